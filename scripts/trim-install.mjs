// Runs after `npm ci` on whatever Node the machine has. Takes out what this machine can never run: ONNX Runtime's
// binaries for other platforms, the C headers that come with the Node package, and source maps of dependencies.
// Saves about 330 MB. BLYAN_KEEP_ALL_BINARIES=1 leaves everything in place.
import fs from 'node:fs'
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

if (process.env.BLYAN_KEEP_ALL_BINARIES !== '1') {
  for (const folder of modules) {
    // The enclosing node_modules belongs to somebody else unless we are what is installed there.
    if (folder !== path.join(root, 'node_modules') && path.basename(root) !== 'blyan-node') continue
    trimOnnxRuntime(folder)
    trimNodeHeaders(folder)
    if (folder === path.join(root, 'node_modules')) trimSourceMaps(folder)
  }
}
