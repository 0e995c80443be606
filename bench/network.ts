import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connectToDaemon, type DaemonClient } from '../src/cli/daemon-client.ts'
import { type DevnetFolder, prepareDevnet } from '../src/cli/devnet/folders.ts'
import { type NodeProcess, startNodeProcess } from '../src/cli/devnet/processes.ts'
import {
  type ApiAddress,
  type DataFolderPaths,
  dataFolderPaths,
  type FlagValues,
  importInitialise,
  readApiAddress,
  readApiToken
} from '../src/node/index.ts'
import { withTemporaryFolder } from './temporary-folder.ts'

/** A network of real processes on this machine, made for one measurement. */
export type BenchNetwork = {
  /** Those that run from the start. */
  readonly nodes: readonly BenchNode[]
  readonly genesisText: string
  /** Starts one of those that were left for later; resolves when its API answers, long before it has caught up. */
  startLater(place: number): Promise<BenchNode>
}

export type NetworkSize = {
  readonly validators: number
  readonly learners: number
  /** So many of the last ones are made and not started. */
  readonly later?: number
  /** For every node. */
  readonly settings?: FlagValues
}

export type BenchNode = {
  readonly process: NodeProcess
  readonly pid: number
  readonly url: string
  readonly token: string
  readonly daemon: DaemonClient
  /** What its sockets carried so far, its event loop since the last call, and its memory now. */
  probe(): Promise<Probe>
  /** Profiles its thread while `work` runs. */
  profiled(work: () => Promise<void>): Promise<CpuProfile>
  /** The same, after collecting all garbage, and a heap snapshot in that file. */
  heapSnapshot(): Promise<Probe & { readonly file: string }>
}

/** As V8 writes it. */
export type CpuProfile = {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string }
    readonly children?: readonly number[]
  }[]
  readonly samples: readonly number[]
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[]
}

/** What daemon-probe.ts writes. */
export type Probe = {
  readonly receivedBytes: number
  readonly sentBytes: number
  readonly eventLoopDelayP99Ms: number
  readonly heapBytes: number
  readonly externalBytes: number
  readonly residentBytes: number
}

const readyTimeoutMs = 90_000
const readyTimeoutMsPerNode = 6000
const stopTimeoutMs = 15_000
const probeTimeoutMs = 5000
const snapshotTimeoutMs = 120_000
const probeModule = fileURLToPath(new URL('./daemon-probe.ts', import.meta.url))

/** Starts it, lets `work` measure, then stops every process and removes every file, whatever happened. */
export function withNetwork<T>(
  { later = 0, settings = {}, ...size }: NetworkSize,
  work: (network: BenchNetwork) => Promise<T>
): Promise<T> {
  return withTemporaryFolder(async root => {
    const devnet = await prepareDevnet({ root: join(root, 'net'), ...size })
    const probes = join(root, 'probes')
    await mkdir(probes)
    const processes: NodeProcess[] = []
    const killAll = (): void => {
      for (const one of processes) if (one.isAlive) one.signal('SIGKILL')
    }
    // First of the listeners: the folder can only go once nobody writes to it.
    process.prependOnceListener('exit', killAll)
    try {
      for (const { path } of devnet.folders) await configure(path, settings)
      const start = (folder: DevnetFolder): NodeProcess => {
        const environment = { NODE_OPTIONS: nodeOptions(), BENCH_PROBE_FOLDER: probes }
        const started = withEnvironment(environment, () => startNodeProcess(folder))
        processes.push(started)
        return started
      }
      const count = devnet.folders.length - later
      const first = devnet.folders.slice(0, count).map(start)
      await Promise.all(first.map(one => one.ready(readyTimeoutMs + count * readyTimeoutMsPerNode)))
      const nodes = await Promise.all(first.map(one => describeNode(one, probes)))
      return await work({
        nodes,
        genesisText: await readFile(devnet.genesisFile, 'utf8'),
        startLater: place => describeNode(start(devnet.folders[place]!), probes)
      })
    } finally {
      for (const one of processes) if (one.isAlive) one.signal('SIGTERM')
      const timer = setTimeout(killAll, stopTimeoutMs)
      await Promise.all(processes.map(one => one.ended))
      clearTimeout(timer)
      process.removeListener('exit', killAll)
    }
  })
}

/** The probe, and what the caller has set (a profiler, say). */
function nodeOptions(): string {
  return [process.env.NODE_OPTIONS, `--import=${JSON.stringify(probeModule)}`].filter(Boolean).join(' ')
}

/** `startNodeProcess` hands on the environment as it is. */
function withEnvironment<T>(values: Readonly<Record<string, string>>, work: () => T): T {
  const before = { ...process.env }
  Object.assign(process.env, values)
  try {
    return work()
  } finally {
    for (const name of Object.keys(values)) {
      if (before[name] === undefined) delete process.env[name]
      else process.env[name] = before[name]
    }
  }
}

async function describeNode(node: NodeProcess, probes: string): Promise<BenchNode> {
  const paths = dataFolderPaths(node.folder.path)
  const address = await announcedAddress(node, paths)
  return {
    process: node,
    pid: address.pid,
    url: address.url,
    token: (await readApiToken(paths))!,
    daemon: await connectToDaemon(paths),
    probe: () => readProbe(address.pid, probes, probeTimeoutMs),
    profiled: async work => {
      await writeFile(join(probes, `${address.pid}.profile`), '')
      await readProbe(address.pid, probes, probeTimeoutMs)
      await work()
      await readProbe(address.pid, probes, probeTimeoutMs)
      return JSON.parse(await readFile(join(probes, `${address.pid}.cpuprofile`), 'utf8')) as CpuProfile
    },
    heapSnapshot: async () => {
      await writeFile(join(probes, `${address.pid}.wanted`), '')
      const probe = await readProbe(address.pid, probes, snapshotTimeoutMs)
      return { ...probe, file: join(probes, `${address.pid}.heapsnapshot`) }
    }
  }
}

async function announcedAddress(node: NodeProcess, paths: DataFolderPaths): Promise<ApiAddress> {
  while (node.isAlive) {
    const address = await readApiAddress(paths)
    if (address !== null) return address
    await pause(10)
  }
  throw new Error(`${node.folder.name} ended before its API answered`)
}

async function configure(path: string, settings: FlagValues): Promise<void> {
  if (Object.keys(settings).length === 0) return
  const { initialiseDataFolder } = await importInitialise()
  await initialiseDataFolder({ path, genesis: null, settings, env: {}, password: { passwordFile: null } })
}

async function readProbe(pid: number, probes: string, timeoutMs: number): Promise<Probe> {
  const file = join(probes, `${pid}.json`)
  await rm(file, { force: true })
  process.kill(pid, 'SIGUSR2')
  for (const endsAtMs = performance.now() + timeoutMs; performance.now() < endsAtMs; await pause(10)) {
    const text = await readFile(file, 'utf8').catch(() => undefined)
    if (text !== undefined) return JSON.parse(text) as Probe
  }
  throw new Error(`process ${pid} did not answer`)
}

export function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
