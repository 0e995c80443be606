import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connectToDaemon, type DaemonClient } from '../src/cli/daemon-client.ts'
import { prepareDevnet } from '../src/cli/devnet/folders.ts'
import { type NodeProcess, startNodeProcess } from '../src/cli/devnet/processes.ts'
import { dataFolderPaths, readApiAddress, readApiToken } from '../src/node/index.ts'

/** A network of real processes on this machine, made for one measurement. */
export type BenchNetwork = { readonly nodes: readonly BenchNode[]; readonly genesisText: string }

export type BenchNode = {
  readonly process: NodeProcess
  readonly pid: number
  readonly url: string
  readonly token: string
  readonly daemon: DaemonClient
  probe(): Promise<Probe>
}

/** What daemon-probe.ts writes. */
export type Probe = { readonly receivedBytes: number; readonly sentBytes: number; readonly eventLoopDelayP99Ms: number }

const readyTimeoutMs = 90_000
const stopTimeoutMs = 15_000
const probeModule = fileURLToPath(new URL('./daemon-probe.ts', import.meta.url))

/** Starts it, lets `work` measure, then stops every process and removes every file, whatever happened. */
export async function withNetwork<T>(
  size: { readonly validators: number; readonly learners: number },
  work: (network: BenchNetwork) => Promise<T>
): Promise<T> {
  const root = await mkdtemp(join(tmpdir(), 'blyan-bench-'))
  const processes: NodeProcess[] = []
  const killAll = (): void => {
    for (const one of processes) if (one.isAlive) one.signal('SIGKILL')
  }
  process.once('exit', killAll)
  try {
    const devnet = await prepareDevnet({ root: join(root, 'net'), ...size })
    const probes = join(root, 'probes')
    await mkdir(probes)
    withEnvironment({ NODE_OPTIONS: nodeOptions(), BLYAN_BENCH_PROBE: probes }, () => {
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
    await rm(root, { recursive: true, force: true })
  }
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
    probe: async () => JSON.parse(await readFile(join(probes, `${address.pid}.json`), 'utf8')) as Probe
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
