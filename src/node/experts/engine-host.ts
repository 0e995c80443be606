import { totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { createEngine, type Engine, type EngineStatus, type Provider, probeDevice } from '../../experts/index.ts'
import type { Config } from '../config-schema.ts'
import type { Logger } from '../logging.ts'
import { withTimeout } from '../with-timeout.ts'

export type HostDevice = {
  readonly provider: string
  readonly name: string
  /** By what was measured; null where nothing was. */
  readonly score: number | null
  readonly tier: number | null
  /** Why this one, for people. */
  readonly why: string
}

/** The engine of this node: started with the first question, on the device that config.toml names or a probe found. */
export interface EngineHost {
  readonly device: HostDevice
  /** Throws as `Engine.start` does. */
  start(): Promise<Engine>
  /** Undefined until it was started. */
  readonly running: Engine | undefined
  /** What the engine said last; it is waited for a moment only, because it answers between two graphs. */
  status(): Promise<EngineStatus | undefined>
  stop(): Promise<void>
}

const statusWaitMs = 100

export function createEngineHost(needs: {
  readonly tensorFolder: string
  readonly settings: Config['experts']
  readonly logger: Logger
}): EngineHost {
  return new LazyEngineHost(needs)
}

class LazyEngineHost implements EngineHost {
  readonly #needs: { readonly tensorFolder: string; readonly settings: Config['experts']; readonly logger: Logger }
  device: HostDevice = {
    provider: 'none',
    name: 'starts with the first question',
    score: null,
    tier: null,
    why: 'no engine runs yet'
  }
  running: Engine | undefined
  #starting: Promise<Engine> | undefined
  #status: EngineStatus | undefined
  #asking: Promise<unknown> | undefined

  constructor(needs: { tensorFolder: string; settings: Config['experts']; logger: Logger }) {
    this.#needs = needs
  }

  start(): Promise<Engine> {
    this.#starting ??= this.#start().catch(error => {
      this.#starting = undefined
      throw error
    })
    return this.#starting
  }

  async status(): Promise<EngineStatus | undefined> {
    const { running } = this
    if (running === undefined) return undefined
    this.#asking ??= running
      .status()
      .then(status => {
        this.#status = status
      })
      .finally(() => {
        this.#asking = undefined
      })
    await withTimeout(this.#asking, { timeoutMs: statusWaitMs })
    return this.#status
  }

  async stop(): Promise<void> {
    const engine = await this.#starting?.catch(() => undefined)
    await engine?.stop()
  }

  async #start(): Promise<Engine> {
    const { settings, logger, tensorFolder } = this.#needs
    let provider: Provider = 'cpu'
    if (settings.device === 'auto') {
      const probe = await probeDevice({ threads: settings.threads, logger })
      provider = probe.provider ?? 'cpu'
      this.device = { provider, name: probe.name, score: probe.score, tier: probe.tier, why: probe.why }
    } else {
      provider = settings.device
      const why = 'config.toml says so; nothing was measured'
      this.device = { provider, name: `${settings.device}, as config.toml says`, score: null, tier: null, why }
    }
    const executables = {
      folder: join(dirname(tensorFolder), 'executables'),
      bytesMax: 2 * (settings.memoryBytesMax === 0 ? Math.floor(totalmem() / 4) : settings.memoryBytesMax)
    }
    const engine = createEngine({ tensorFolder, threads: settings.threads, device: provider, executables, logger })
    await engine.start()
    this.running = engine
    return engine
  }
}
