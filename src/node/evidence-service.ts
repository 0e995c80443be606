import { publicKeyToText, sha256 } from '../codec/index.ts'
import type { Vertex } from '../consensus/index.ts'
import { type Chains, encodeEvidence } from '../dag/index.ts'
import { describeError } from '../errors/index.ts'
import { offenceKey } from '../ledger/index.ts'
import type { EventService } from './event-service.ts'
import type { Logger } from './logging.ts'

export type EvidenceServiceNeeds = {
  readonly chains: Pick<Chains, 'committeeOf' | 'stateValue' | 'epoch'>
  readonly events: Pick<EventService, 'submit'>
  /** Own place among the validators of now; undefined for a follower. */
  readonly self: () => number | undefined
  readonly logger: Pick<Logger, 'warn' | 'info'>
  readonly turnMs?: number
}

/** Brings proofs that a validator signed twice before the quorum, once for each offence. */
export interface EvidenceService {
  onEquivocation(first: Vertex, second: Vertex): void
  stop(): void
}

export function createEvidenceService(needs: EvidenceServiceNeeds): EvidenceService {
  return new NodeEvidenceService(needs)
}

const defaultTurnMs = 1000
const attemptsMax = 5
const waitingMax = 256

class NodeEvidenceService implements EvidenceService {
  readonly #needs: EvidenceServiceNeeds
  readonly #timers = new Map<string, NodeJS.Timeout>()
  #isStopped = false

  constructor(needs: EvidenceServiceNeeds) {
    this.#needs = needs
  }

  onEquivocation(first: Vertex, second: Vertex): void {
    const { epoch, author, round } = first.header
    const member = this.#needs.chains.committeeOf(epoch)?.validators[author]
    if (member === undefined || this.#isStopped) return
    const offence = offenceKey(epoch, publicKeyToText(member.publicKey))
    this.#needs.logger.warn(
      { validator: member.name, epoch, round, first: first.digest, second: second.digest },
      'a validator signed two vertices for one round'
    )
    if (this.#timers.has(offence) || this.#timers.size >= waitingMax) return
    const payload = encodeEvidence(first, second)
    // All honest validators saw it: one after the other looks whether somebody else has brought it.
    this.#later(offence, payload, this.#turnOf(payload), 1)
  }

  stop(): void {
    this.#isStopped = true
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }

  #turnOf(payload: Uint8Array): number {
    const count = this.#needs.chains.epoch.committee.validators.length
    return (sha256(payload)[0]! + (this.#needs.self() ?? 0)) % count
  }

  #later(offence: string, payload: Uint8Array, turns: number, attempt: number): void {
    const timer = setTimeout(
      () => void this.#bring(offence, payload, attempt),
      turns * (this.#needs.turnMs ?? defaultTurnMs)
    )
    timer.unref()
    this.#timers.set(offence, timer)
  }

  async #bring(offence: string, payload: Uint8Array, attempt: number): Promise<void> {
    const { chains, events, self, logger } = this.#needs
    const done = (): void => void this.#timers.delete(offence)
    if (this.#isStopped) return
    if (chains.stateValue(offence) !== undefined) return done()
    if (self() !== undefined)
      await events.submit({ type: 'evidence', payload }, { wait: false, timeoutMs: 1 }).catch(error => {
        logger.info({ code: describeError(error).code }, 'evidence could not be submitted yet')
      })
    if (this.#isStopped) return
    // Until the state has it: an event can be lost with the vertex that carried it.
    if (attempt >= attemptsMax) return done()
    this.#later(offence, payload, this.#needs.chains.epoch.committee.validators.length * 2, attempt + 1)
  }
}
