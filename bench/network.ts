import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connectToDaemon, type DaemonClient } from '../src/cli/daemon-client.ts'
import { prepareDevnet } from '../src/cli/devnet/folders.ts'
import { type NodeProcess, startNodeProcess } from '../src/cli/devnet/processes.ts'
import { dataFolderPaths, readApiAddress, readApiToken } from '../src/node/index.ts'
import { withTemporaryFolder } from './temporary-folder.ts'

/** A network of real processes on this machine, made for one measurement. */
export type BenchNetwork = { readonly nodes: readonly BenchNode[]; readonly genesisText: string }

export type BenchNode = {
  readonly process: NodeProcess
  readonly pid: number
  readonly url: string
  readonly token: string
  readonly daemon: DaemonClient
  /** What its sockets carried so far, and its event loop since the last call. */
  probe(): Promise<Probe>
}

/** What daemon-probe.ts writes. */
export type Probe = { readonly receivedBytes: number; readonly sentBytes: number; readonly eventLoopDelayP99Ms: number }

const readyTimeoutMs = 90_000
const stopTimeoutMs = 15_000
const probeTimeoutMs = 5000
const probeModule = fileURLToPath(new URL('./daemon-probe.ts', import.meta.url))

/** Starts it, lets `work` measure, then stops every process and removes every file, whatever happened. */
export function withNetwork<T>(
  size: { readonly validators: number; readonly learners: number },
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
      withEnvironment({ NODE_OPTIONS: nodeOptions(), BENCH_PROBE_FOLDER: probes }, () => {
        for (const folder of devnet.folders) processes.push(startNodeProcess(folder))
      })
      await Promise.all(processes.map(one => one.ready(readyTimeoutMs)))
      const nodes = await Promise.all(processes.map(one => describeNode(one, probes)))
      return await work({ nodes, genesisText: await readFile(devnet.genesisFile, 'utf8') })
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
function withEnvironment(values: Readonly<Record<string, string>>, work: () => void): void {
  const before = { ...process.env }
  Object.assign(process.env, values)
  try {
    work()
  } finally {
    for (const name of Object.keys(values)) {
      if (before[name] === undefined) delete process.env[name]
      else process.env[name] = before[name]
    }
  }
}

async function describeNode(node: NodeProcess, probes: string): Promise<BenchNode> {
  const paths = dataFolderPaths(node.folder.path)
  const address = (await readApiAddress(paths))!
  return {
    process: node,
    pid: address.pid,
    url: address.url,
    token: (await readApiToken(paths))!,
    daemon: await connectToDaemon(paths),
    probe: () => readProbe(address.pid, join(probes, `${address.pid}.json`))
  }
}

async function readProbe(pid: number, file: string): Promise<Probe> {
  await rm(file, { force: true })
  process.kill(pid, 'SIGUSR2')
  for (const endsAtMs = performance.now() + probeTimeoutMs; performance.now() < endsAtMs; await pause(10)) {
    const text = await readFile(file, 'utf8').catch(() => undefined)
    if (text !== undefined) return JSON.parse(text) as Probe
  }
  throw new Error(`process ${pid} did not answer`)
}

export function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
