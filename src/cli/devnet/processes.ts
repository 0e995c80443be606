import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BlyanError } from '../../errors/index.ts'
import { dataFolderPaths, readApiAddress } from '../../node/index.ts'
import type { DevnetFolder } from './folders.ts'

/** One node of a network on this machine: a process of its own. */
export interface NodeProcess {
  readonly folder: DevnetFolder
  readonly isAlive: boolean
  /** Resolves when its API says that it is ready. Throws DEVNET_NODE_FAILED with the end of what it printed. */
  ready(timeoutMs: number): Promise<void>
  signal(signal: NodeJS.Signals): void
  readonly ended: Promise<void>
}

const launcher = fileURLToPath(new URL('../../../bin/blyan-node', import.meta.url))
const pollEveryMs = 100

export function startNodeProcess(folder: DevnetFolder): NodeProcess {
  return new SpawnedNode(folder)
}

class SpawnedNode implements NodeProcess {
  readonly folder: DevnetFolder
  readonly ended: Promise<void>
  readonly #child: ChildProcess
  readonly #consoleFile: string

  constructor(folder: DevnetFolder) {
    this.folder = folder
    const logs = join(folder.path, 'logs')
    mkdirSync(logs, { recursive: true, mode: 0o700 })
    this.#consoleFile = join(logs, 'console.log')
    const output = openSync(this.#consoleFile, 'w', 0o600)
    this.#child = spawn(process.execPath, [launcher, 'start', '--data', folder.path], {
      stdio: ['ignore', output, output]
    })
    closeSync(output)
    this.ended = new Promise(resolve => {
      this.#child.once('exit', () => resolve())
      this.#child.once('error', () => resolve())
    })
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  async ready(timeoutMs: number): Promise<void> {
    const paths = dataFolderPaths(this.folder.path)
    for (const endsAtMs = performance.now() + timeoutMs; performance.now() < endsAtMs; ) {
      if (!this.isAlive)
        throw new BlyanError('DEVNET_NODE_FAILED', { name: this.folder.name, reason: this.#lastLines() })
      const address = await readApiAddress(paths)
      if (address !== null && address.pid === this.#child.pid && (await isReady(address.url))) return
      await new Promise(resolve => setTimeout(resolve, pollEveryMs))
    }
    throw new BlyanError('DEVNET_NODE_FAILED', { name: this.folder.name, reason: `not ready after ${timeoutMs} ms` })
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  #lastLines(): string {
    try {
      return readFileSync(this.#consoleFile, 'utf8').trim().split('\n').slice(-2).join(' ').slice(-600)
    } catch {
      return 'it ended at once'
    }
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(new URL('/readyz', url), { signal: AbortSignal.timeout(2000) })).ok
  } catch {
    return false
  }
}
