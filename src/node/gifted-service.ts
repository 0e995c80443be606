import { publicKeyToText, type SigningKey } from '../codec/index.ts'
import type { Chains, Genesis, HandlerRegistry } from '../dag/index.ts'
import { describeError, type ErrorCode, errorTable, isBlyanError } from '../errors/index.ts'
import { numberOf, peerProof, type Resources, readGifted, specialisationCapacities } from '../ledger/index.ts'
import type { Network } from '../net/index.ts'
import type { Config } from './config-schema.ts'
import type { EventService } from './event-service.ts'
import type { Logger } from './logging.ts'
import { type MachineSpeed, measureResources, measureSpeed } from './machine-measurement.ts'
import { ppmOfPercent } from './percent.ts'

export type GiftedServiceNeeds = {
  readonly genesis: Genesis
  readonly handlers: Pick<HandlerRegistry, 'get'>
  readonly chains: Pick<Chains, 'state'>
  readonly events: Pick<EventService, 'submit'>
  readonly network: Pick<Network, 'peers'>
  readonly keys: { readonly node: SigningKey; readonly account: SigningKey }
  readonly settings: Config['gifted']
  readonly name: string
  /** Where the disk is measured. */
  readonly folder: string
  /** Whether the node knows the state of now: before, it cannot say whether it is registered. */
  readonly isCaughtUp: () => boolean
  readonly logger: Pick<Logger, 'info' | 'warn' | 'debug'>
  readonly measureSpeed?: (folder: string) => Promise<MachineSpeed>
}

/** Keeps a gifted node on the list: measures the machine, registers once, then sends heartbeats. */
export interface GiftedService {
  start(): void
  stop(): Promise<void>
}

export function createGiftedService(needs: GiftedServiceNeeds): GiftedService {
  return new NodeGiftedService(needs)
}

const speedEveryMs = 3_600_000
const firstLookMs = 200
const lookAgainMs = 1000
const retryMs = 15_000
const submitTimeoutMs = 20_000

class NodeGiftedService implements GiftedService {
  readonly #needs: GiftedServiceNeeds
  readonly #account: string
  #timer: NodeJS.Timeout | undefined
  #turn: Promise<unknown> = Promise.resolve()
  readonly #stopping = new AbortController()
  #wasRegistered = false
  #speed: { readonly value: MachineSpeed; readonly takenAtMs: number } | undefined
  #lastRefusal = ''

  constructor(needs: GiftedServiceNeeds) {
    this.#needs = needs
    this.#account = publicKeyToText(needs.keys.account.publicKey)
  }

  start(): void {
    this.#later(firstLookMs)
  }

  /** The node stays registered: it comes back, and is retired only when somebody says so. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    clearTimeout(this.#timer)
    await this.#turn
  }

  #later(delayMs: number): void {
    if (this.#stopping.signal.aborted) return
    this.#timer = setTimeout(() => {
      this.#turn = this.#look().then(
        nextMs => {
          if (nextMs !== undefined) this.#later(nextMs)
        },
        error => {
          if (this.#stopping.signal.aborted) return
          this.#refused(error)
          this.#later(retryMs)
        }
      )
    }, delayMs)
    this.#timer.unref()
  }

  /** Gives when to look again; undefined for never. */
  async #look(): Promise<number | undefined> {
    const { chains, genesis, isCaughtUp, logger } = this.#needs
    if (!isCaughtUp()) return lookAgainMs
    const node = readGifted(chains.state, this.#account)
    if (node === undefined && this.#wasRegistered) {
      logger.info({ account: this.#account }, 'this gifted node was retired: a start of the node gives it anew')
      return undefined
    }
    const heartbeatMs = numberOf(chains.state, genesis, 'giftedHeartbeatMs')
    const measured = await this.#measure()
    if (this.#stopping.signal.aborted) return undefined
    if (node === undefined) {
      await this.#submit('gifted-register', this.#registration(measured))
      logger.info({ account: this.#account, ...measured }, 'registered as a gifted node')
    } else await this.#submitHeartbeat(measured)
    this.#wasRegistered = true
    this.#lastRefusal = ''
    return heartbeatMs
  }

  async #measure(): Promise<Resources> {
    const { folder, network, logger } = this.#needs
    const nowMs = performance.now()
    if (this.#speed === undefined || nowMs - this.#speed.takenAtMs > speedEveryMs) {
      const measure = this.#needs.measureSpeed ?? measureSpeed
      this.#speed = { value: await measure(folder), takenAtMs: nowMs }
      logger.debug({ ...this.#speed.value, elapsedMs: Math.round(performance.now() - nowMs) }, 'machine measured')
    }
    return measureResources(folder, this.#speed.value, network.peers())
  }

  /** One that took long to be ordered is still fresh when the next comes: that one is not needed. */
  async #submitHeartbeat(measured: Resources): Promise<void> {
    try {
      await this.#submit('gifted-heartbeat', { measured })
    } catch (error) {
      if (refusalOf(error) !== 'GIFTED_HEARTBEAT_EARLY') throw error
    }
  }

  async #submit(type: string, json: unknown): Promise<void> {
    const payload = this.#needs.handlers.get(type).encodePayload(json)
    await this.#needs.events.submit(
      { type, payload },
      { wait: true, timeoutMs: submitTimeoutMs, signal: this.#stopping.signal }
    )
  }

  #registration(measured: Resources): unknown {
    const { genesis, keys, settings, name } = this.#needs
    const { by, account, consent, specialisation, capacities } = settings
    const [first = '0', second = '0'] = capacities.split(',')
    const [firstName, secondName] = specialisationCapacities[specialisation]
    return {
      name,
      ...peerProof(genesis.digest, this.#account, keys.node),
      giftedBy: { kind: by, account: account === '' ? this.#account : account },
      consent,
      specialisation: { kind: specialisation, [firstName]: Number(first), [secondName]: Number(second) },
      claimed: claimOf(settings, measured),
      measured,
      uptimePpm: ppmOfPercent(settings.uptimePercent),
      sharePpm: ppmOfPercent(settings.sharePercent),
      priority: by === 'deployer' ? settings.priority : null
    }
  }

  /** Said once: it is tried again all the time. */
  #refused(error: unknown): void {
    const { code, message, nextStep } = describeError(error)
    const refusal = refusalOf(error)
    if ((refusal ?? code) === this.#lastRefusal) return
    this.#lastRefusal = refusal ?? code
    const shown = refusal === undefined ? { code, nextStep } : { code: refusal, nextStep: errorTable[refusal].nextStep }
    this.#needs.logger.warn(shown, `as a gifted node: ${message}`)
  }
}

/** Why the network refused an event; undefined for other failures. */
function refusalOf(error: unknown): ErrorCode | undefined {
  return isBlyanError(error, 'EVENT_REFUSED') ? (error.payload.code as ErrorCode) : undefined
}

/** What of the machine is given: no more than it has. */
function claimOf(settings: Config['gifted'], measured: Resources): Resources {
  const given = (limit: number, has: number): number => (limit === 0 ? has : Math.min(limit, has))
  const cores = given(settings.cores, measured.cores)
  return {
    ...measured,
    cores,
    megaflops: Math.floor((measured.megaflops * cores) / measured.cores),
    memoryBytes: given(settings.memoryBytes, measured.memoryBytes),
    diskFreeBytes: given(settings.diskBytes, measured.diskFreeBytes)
  }
}
