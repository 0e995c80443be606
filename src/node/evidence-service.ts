import { publicKeyToText, sha256 } from '../codec/index.ts'
import type { Vertex } from '../consensus/index.ts'
import { type Chains, encodeEvidence, type Genesis } from '../dag/index.ts'
import { describeError } from '../errors/index.ts'
import { invalidOffenceKey, offenceKey } from '../ledger/index.ts'
import type { EventService } from './event-service.ts'
import { proofOfInvalid } from './invalid-vertex.ts'
import type { Logger } from './logging.ts'

export type EvidenceServiceNeeds = {
  readonly genesis: Genesis
  readonly chains: Pick<Chains, 'committeeOf' | 'stateValue' | 'epoch'>
  readonly events: Pick<EventService, 'submit'>
  /** Own place among the validators of now; undefined for a follower. */
  readonly self: () => number | undefined
  readonly logger: Pick<Logger, 'warn' | 'info'>
  readonly turnMs?: number
}

/** Brings proofs of what a validator did wrong before the quorum, once for each offence. */
export interface EvidenceService {
  /** It signed two vertices for one round. */
  onEquivocation(first: Vertex, second: Vertex): void
  /** It signed a vertex that no rule allows. Where nobody is punished for that, it is only logged. */
  onInvalidVertex(vertex: Vertex, reason: string): void
  stop(): void
}

export function createEvidenceService(needs: EvidenceServiceNeeds): EvidenceService {
  return new NodeEvidenceService(needs)
}

/** `offence` is where the state keeps it once it is brought. */
type Proof = { readonly type: string; readonly offence: string; readonly payload: Uint8Array }

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
    if (!this.#hasRoomFor(offence)) return
    this.#begin({ type: 'evidence', offence, payload: encodeEvidence(first, second) })
  }

  onInvalidVertex(vertex: Vertex, reason: string): void {
    const { genesis, chains, logger } = this.#needs
    const { epoch, author, round } = vertex.header
    const committee = chains.committeeOf(epoch)
    const member = committee?.validators[author]
    if (committee === undefined || member === undefined || this.#isStopped) return
    const offence = invalidOffenceKey(epoch, publicKeyToText(member.publicKey))
    if (!this.#hasRoomFor(offence) || chains.stateValue(offence) !== undefined) return
    logger.warn({ validator: member.name, epoch, round, reason }, 'a validator signed a vertex that breaks the rules')
    if (genesis.file.economy === undefined) return
    const payload = proofOfInvalid(vertex, committee, genesis)
    if (payload === undefined) logger.info({ epoch, round }, 'it cannot be proven by an event: its body is too large')
    else this.#begin({ type: 'evidence-invalid', offence, payload })
  }

  stop(): void {
    this.#isStopped = true
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }

  #hasRoomFor(offence: string): boolean {
    return !this.#timers.has(offence) && this.#timers.size < waitingMax
  }

  /** All honest validators saw it: one after the other looks whether somebody else has brought it. */
  #begin(proof: Proof): void {
    this.#later(proof, this.#turnOf(proof.payload), 1)
  }

  #turnOf(payload: Uint8Array): number {
    const count = this.#needs.chains.epoch.committee.validators.length
    return (sha256(payload)[0]! + (this.#needs.self() ?? 0)) % count
  }

  #later(proof: Proof, turns: number, attempt: number): void {
    const timer = setTimeout(() => void this.#bring(proof, attempt), turns * (this.#needs.turnMs ?? defaultTurnMs))
    timer.unref()
    this.#timers.set(proof.offence, timer)
  }

  async #bring(proof: Proof, attempt: number): Promise<void> {
    const { type, offence, payload } = proof
    const { chains, events, self, logger } = this.#needs
    const done = (): void => void this.#timers.delete(offence)
    if (this.#isStopped) return
    if (chains.stateValue(offence) !== undefined) return done()
    if (self() !== undefined)
      await events.submit({ type, payload }, { wait: false, timeoutMs: 1 }).catch(error => {
        logger.info({ code: describeError(error).code }, 'evidence could not be submitted yet')
      })
    if (this.#isStopped) return
    // Until the state has it: an event can be lost with the vertex that carried it.
    if (attempt >= attemptsMax) return done()
    this.#later(proof, this.#needs.chains.epoch.committee.validators.length * 2, attempt + 1)
  }
}
