import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { access, open, stat, unlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { arch, platform, release, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { type Config, type DataFolderPaths, freeBytesOf, importKeyStore } from '../node/index.ts'
import { sizeText } from './output.ts'

/** What `doctor` looks at, each a small question with an answer and, unless all is well, a next step. */
export type Finding = {
  readonly check: string
  readonly verdict: 'ok' | 'warn' | 'fail'
  readonly detail: string
  readonly nextStep: string | null
}

const oldestNode = 24
const memoryBytesWanted = 2 * 2 ** 30
const slowSyncMs = 50
/** No release of this program is older: a clock before it is wrong. */
const oldestDay = Date.UTC(2025, 0, 1)
const newestDay = Date.UTC(2100, 0, 1)

export function checkSystem(): Finding[] {
  const version = Number.parseInt(process.versions.node, 10)
  const supported = ['linux', 'darwin', 'win32'].includes(platform()) && ['x64', 'arm64'].includes(arch())
  const memory = totalmem()
  return [
    finding(
      'node',
      version >= oldestNode ? 'ok' : 'fail',
      process.version,
      `install Node ${oldestNode} or newer, or run "npm ci" in the checkout`
    ),
    finding(
      'platform',
      supported ? 'ok' : 'warn',
      `${platform()} ${arch()}, ${release()}`,
      'the engine may be missing for this platform'
    ),
    finding(
      'memory',
      memory >= memoryBytesWanted ? 'ok' : 'warn',
      sizeText(memory),
      'a node needs about 2 GiB; set experts.enabled = false to save some'
    )
  ]
}

export function checkClock(): Finding {
  const now = Date.now()
  const sane = now > oldestDay && now < newestDay
  return finding(
    'clock',
    sane ? 'ok' : 'fail',
    new Date(now).toISOString(),
    'set the clock of this machine, and switch on its time service'
  )
}

export async function checkFolder(paths: DataFolderPaths): Promise<Finding[]> {
  const found = await stat(paths.root).catch(() => null)
  const init = `run "blyan-node init --data ${paths.root}"`
  if (found === null) return [finding('data folder', 'warn', `${paths.root} is not there yet`, init)]
  const writable = await access(paths.root, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false
  )
  if (!writable)
    return [finding('data folder', 'fail', `${paths.root} cannot be written`, 'give this user rights on it')]
  const open = process.platform !== 'win32' && (found.mode & 0o077) !== 0
  const genesis = await stat(paths.genesisFile).catch(() => null)
  return [
    finding(
      'data folder',
      open ? 'warn' : 'ok',
      open ? `${paths.root} is open to other users` : paths.root,
      `chmod 700 ${paths.root}`
    ),
    finding(
      'genesis',
      genesis === null ? 'warn' : 'ok',
      genesis === null ? 'no genesis file yet' : paths.genesisFile,
      `${init} with --genesis FILE`
    )
  ]
}

export async function checkKeys(paths: DataFolderPaths, roles: readonly string[]): Promise<Finding[]> {
  const { openKeyStore } = await importKeyStore()
  const store = openKeyStore(paths.keysFolder)
  const findings: Finding[] = []
  for (const name of ['node', 'account', ...(roles.includes('validator') ? ['validator'] : [])]) {
    try {
      const { path, publicKey } = await store.info(name)
      const open = process.platform !== 'win32' && ((await stat(path)).mode & 0o077) !== 0
      findings.push(
        finding(
          `${name} key`,
          open ? 'fail' : 'ok',
          open ? `${path} is open to other users` : publicKey,
          `chmod 600 ${path}`
        )
      )
    } catch (error) {
      findings.push(
        finding(`${name} key`, 'warn', (error as Error).message, `run "blyan-node init --data ${paths.root}"`)
      )
    }
  }
  return findings
}

export async function checkDisk(root: string, minimumFreeBytes: number): Promise<Finding[]> {
  const folder = await nearestFolder(root)
  const freeBytes = await freeBytesOf(folder)
  const verdict = freeBytes < minimumFreeBytes ? 'fail' : freeBytes < 4 * minimumFreeBytes ? 'warn' : 'ok'
  const space = finding(
    'disk',
    verdict,
    `${sizeText(freeBytes)} free in ${folder}`,
    'make room there, or choose another folder with --data'
  )
  try {
    const syncMs = await medianSyncMs(folder)
    const detail = `${syncMs.toFixed(1)} ms to make 4 KiB durable`
    return [
      space,
      finding(
        'disk speed',
        syncMs > slowSyncMs ? 'warn' : 'ok',
        detail,
        'a validator signs once per such write: use a faster disk'
      )
    ]
  } catch (error) {
    return [
      space,
      finding(
        'disk speed',
        'fail',
        `cannot write in ${folder}: ${(error as Error).message}`,
        'give this user rights on it'
      )
    ]
  }
}

export async function checkPorts(config: Config): Promise<Finding[]> {
  const listening = config.network.listen.flatMap(address => {
    const parts = /^\/(?:ip4|ip6)\/([^/]+)\/tcp\/(\d+)/.exec(address)
    return parts === null ? [] : [{ name: address, host: parts[1]!, port: Number(parts[2]), flag: '--listen' }]
  })
  const api = { name: `API ${config.api.host}:${config.api.port}`, ...config.api, flag: '--api-port' }
  return Promise.all(
    [...listening, api].map(async ({ name, host, port, flag }) => {
      const fault = await listenFault(host, port)
      return finding(
        'port',
        fault === null ? 'ok' : 'fail',
        fault === null ? `${name} is free` : `${name}: ${fault}`,
        `choose another with ${flag}`
      )
    })
  )
}

function listenFault(host: string, port: number): Promise<string | null> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', error =>
      resolve(
        (error as NodeJS.ErrnoException).code === 'EADDRINUSE' ? 'something listens there already' : error.message
      )
    )
    server.listen({ host, port }, () => server.close(() => resolve(null)))
  })
}

async function medianSyncMs(folder: string): Promise<number> {
  const path = join(folder, `.doctor-${randomBytes(6).toString('hex')}`)
  const file = await open(path, 'wx', 0o600)
  try {
    const times: number[] = []
    for (let round = 0; round < 5; round++) {
      const startedMs = performance.now()
      await file.write(Buffer.alloc(4096), 0, 4096, round * 4096)
      await file.datasync()
      times.push(performance.now() - startedMs)
    }
    return times.sort((a, b) => a - b)[2]!
  } finally {
    await file.close()
    await unlink(path)
  }
}

async function nearestFolder(path: string): Promise<string> {
  const found = await stat(path).catch(() => null)
  return found?.isDirectory() === true || dirname(path) === path ? path : nearestFolder(dirname(path))
}

function finding(check: string, verdict: Finding['verdict'], detail: string, nextStep: string): Finding {
  return { check, verdict, detail, nextStep: verdict === 'ok' ? null : nextStep }
}
