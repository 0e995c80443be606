// Runs after `npm ci` and `npm i -g`, on whatever Node the machine has.
//
// 1. Takes out what this machine can never run: ONNX Runtime's binaries for other platforms, the C headers that come with
//    the Node package, and source maps of dependencies. Saves about 330 MB. BLYAN_KEEP_ALL_BINARIES=1 leaves them.
// 2. ONNX Runtime's own install step fetches CUDA libraries from a host of its own; where that cannot be reached npm drops
//    the package. A checkout has .npmrc to skip that step; a global install has not, so there the package is brought
//    once more without it. GPU owners run that step themselves: npm rebuild onnxruntime-node --onnxruntime-node-install=cuda12
import { execFileSync } from 'node:child_process'
import dns from 'node:dns/promises'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const modules = [path.join(root, 'node_modules'), path.dirname(root)].filter(
  folder => path.basename(folder) === 'node_modules'
)

function remove(folder) {
  fs.rmSync(folder, { recursive: true, force: true })
}

function entries(folder) {
  try {
    return fs.readdirSync(folder, { withFileTypes: true })
  } catch {
    return []
  }
}

function trimOnnxRuntime(folder) {
  const versions = path.join(folder, 'onnxruntime-node', 'bin')
  for (const version of entries(versions)) {
    const platforms = path.join(versions, version.name)
    for (const platform of entries(platforms)) {
      if (platform.name !== process.platform) remove(path.join(platforms, platform.name))
      else
        for (const arch of entries(path.join(platforms, platform.name)))
          if (arch.name !== process.arch) remove(path.join(platforms, platform.name, arch.name))
    }
  }
}

function trimNodeHeaders(folder) {
  for (const entry of entries(path.join(folder, 'node', 'node_modules'))) {
    if (entry.name.startsWith('node-'))
      for (const part of ['include', 'share']) remove(path.join(folder, 'node', 'node_modules', entry.name, part))
  }
}

function trimSourceMaps(folder) {
  for (const entry of entries(folder)) {
    const full = path.join(folder, entry.name)
    if (entry.isDirectory()) trimSourceMaps(full)
    else if (entry.name.endsWith('.map')) remove(full)
  }
}

function run(command, args, cwd) {
  execFileSync(command, args, { cwd, stdio: ['ignore', 'pipe', 'ignore'] })
}

/** Into dist/node_modules, where the compiled engine finds it and npm never looks. */
function bringOnnxRuntime() {
  const { optionalDependencies } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'))
  const version = optionalDependencies['onnxruntime-node'].replace('^', '')
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'blyan-install-'))
  try {
    for (const name of ['onnxruntime-node', 'onnxruntime-common']) {
      run(
        process.execPath,
        [
          process.env.npm_execpath,
          'pack',
          `${name}@${version}`,
          '--pack-destination',
          scratch,
          '--silent',
          '--global=false'
        ],
        scratch
      )
      const target = path.join(root, 'dist', 'node_modules', name)
      fs.mkdirSync(target, { recursive: true })
      run('tar', ['xzf', `${name}-${version}.tgz`, '-C', target, '--strip-components=1'], scratch)
    }
    trimOnnxRuntime(path.join(root, 'dist', 'node_modules'))
  } finally {
    remove(scratch)
  }
}

/** The host that ONNX Runtime's install step fetches from, as its own description says. */
function onnxRuntimeHost() {
  const description = path.join('onnxruntime-node', 'script', 'install-metadata.js')
  for (const folder of modules) {
    try {
      return /index: 'https:\/\/([^/']+)\//.exec(fs.readFileSync(path.join(folder, description), 'utf8'))?.[1]
    } catch {
      // Not in this folder.
    }
  }
}

async function willBeDropped() {
  if (process.env.npm_config_global !== 'true' || process.env.npm_config_onnxruntime_node_install === 'skip')
    return false
  if (process.platform !== 'linux' || process.arch !== 'x64' || process.env.npm_execpath === undefined) return false
  const host = onnxRuntimeHost()
  try {
    if (host !== undefined) await dns.lookup(host)
    return host === undefined
  } catch {
    return true
  }
}

if (await willBeDropped()) {
  try {
    bringOnnxRuntime()
  } catch {
    console.error(
      'blyan-node: ONNX Runtime could not be installed; install again with --onnxruntime-node-install=skip to compute with the model'
    )
  }
}
if (process.env.BLYAN_KEEP_ALL_BINARIES !== '1') {
  for (const folder of modules) {
    // The enclosing node_modules belongs to somebody else unless we are what is installed there.
    if (folder !== path.join(root, 'node_modules') && path.basename(root) !== 'blyan-node') continue
    trimOnnxRuntime(folder)
    trimNodeHeaders(folder)
    if (folder === path.join(root, 'node_modules')) trimSourceMaps(folder)
  }
}
