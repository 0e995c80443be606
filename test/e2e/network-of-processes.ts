import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { connectToDaemon, type DaemonClient } from '../../src/cli/daemon-client.ts'
import {
  type Devnet,
  type DevnetArchitecture,
  type DevnetConsensus,
  type DevnetEconomy,
  type DevnetFolder,
  prepareDevnet
} from '../../src/cli/devnet/folders.ts'
import { type NodeProcess, startNodeProcess } from '../../src/cli/devnet/processes.ts'
import { dataFolderPaths, type EventLine, type NodeStatus, type SubmittedEvent } from '../../src/node/index.ts'

export const bin = new URL('../../bin/blyan-node', import.meta.url).pathname
const readyMs = 60_000

export type CommandResult = { readonly code: number; readonly stdout: string; readonly stderr: string }

/** Runs the real command line. */
export function blyan(
  args: readonly string[],
  options: { input?: string; env?: Record<string, string>; timeoutMs?: number } = {}
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [bin, ...args], {
      env: { ...process.env, ...options.env },
      timeout: options.timeoutMs ?? 120_000
    })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', chunk => (stdout += chunk))
    child.stderr.on('data', chunk => (stderr += chunk))
    child.once('error', reject)
    child.once('close', code => resolve({ code: code ?? -1, stdout, stderr }))
    child.stdin.end(options.input ?? '')
  })
}

/** A network of real processes that ends with the test. */
export class ProcessNetwork {
  readonly devnet: Devnet
  readonly #processes = new Map<string, NodeProcess>()

  constructor(devnet: Devnet) {
    this.devnet = devnet
  }

  get folders(): readonly DevnetFolder[] {
    return this.devnet.folders
  }

  async start(...places: number[]): Promise<void> {
    for (const place of places) this.#processes.set(this.folders[place]!.name, startNodeProcess(this.folders[place]!))
    await Promise.all(places.map(place => this.#process(place).ready(readyMs)))
  }

  /** Starts without waiting until it is ready. */
  launch(place: number): void {
    this.#processes.set(this.folders[place]!.name, startNodeProcess(this.folders[place]!))
  }

  ready(place: number): Promise<void> {
    return this.#process(place).ready(readyMs)
  }

  async kill(place: number): Promise<void> {
    this.#process(place).signal('SIGKILL')
    await this.#process(place).ended
  }

  async stop(place: number): Promise<void> {
    this.#process(place).signal('SIGTERM')
    await this.#process(place).ended
  }

  async stopAll(): Promise<void> {
    const running = [...this.#processes.values()].filter(one => one.isAlive)
    for (const one of running) one.signal('SIGTERM')
    await Promise.all(running.map(one => one.ended))
  }

  killAll(): void {
    for (const one of this.#processes.values()) if (one.isAlive) one.signal('SIGKILL')
  }

  daemon(place: number): Promise<DaemonClient> {
    return connectToDaemon(dataFolderPaths(this.folders[place]!.path))
  }

  async status(place: number): Promise<NodeStatus> {
    return (await this.daemon(place)).json<NodeStatus>({ path: '/v0/status' })
  }

  async note(place: number, text: string, timeoutMs = 20_000): Promise<SubmittedEvent> {
    return (await this.daemon(place)).json<SubmittedEvent>({
      method: 'POST',
      path: '/v0/events',
      query: { wait: true, timeoutMs },
      body: { type: 'note', payload: text },
      timeoutMs: timeoutMs + 5000
    })
  }

  /** The final order as one node tells it. */
  async order(place: number): Promise<string[]> {
    const lines: string[] = []
    for await (const line of (await this.daemon(place)).lines<EventLine>({
      path: '/v0/events',
      query: { from: 1, limit: 100_000 }
    }))
      lines.push(`${line.sequence}:${line.eventId}`)
    return lines
  }

  #process(place: number): NodeProcess {
    return this.#processes.get(this.folders[place]!.name)!
  }
}

export function scratchFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'blyan-e2e-'))
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }))
  return folder
}

/** Nobody says anything about anybody's health: a test counts its own events and no others. */
export const quietEconomy = {
  parameters: { healthDegradedAfterMs: '86400000', healthFailedAfterMs: '86400000', dutyMs: '86400000' }
}

export async function processNetwork(
  t: TestContext,
  validators: number,
  learners = 0,
  consensus: DevnetConsensus = {},
  more: {
    readonly economy?: DevnetEconomy
    readonly gifted?: number
    readonly architecture?: DevnetArchitecture
  } = {}
): Promise<ProcessNetwork> {
  const economy = more.economy ?? quietEconomy
  const network = new ProcessNetwork(
    await prepareDevnet({ root: scratchFolder(t), validators, learners, consensus, ...more, economy })
  )
  t.after(() => network.killAll())
  return network
}

export async function until(what: string, holds: () => Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  for (const endsAtMs = performance.now() + timeoutMs; ; ) {
    if (await holds().catch(() => false)) return
    if (performance.now() > endsAtMs) throw new Error(`not within ${timeoutMs} ms: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}
