import { randomBytes } from 'node:crypto'
import {
  type CanonicalValue,
  concatBytes,
  decodeCanonical,
  encodeCanonical,
  parseCid,
  type SigningKey,
  verifySignature
} from '../../codec/index.ts'
import { describeError, isBlyanError } from '../../errors/index.ts'
import type { Reputation } from '../../guardian/index.ts'
import type { Network } from '../../net/index.ts'
import { checkSpotProof, type SpotProof, spotDigest, spotLimits } from '../../tiles/index.ts'
import type { RoutingLogger } from '../routing-types.ts'

/** Asks holders to show leaves of the weights they answer with, and shows own ones. */
export interface SpotChecks {
  /** Once in a while for each holder, in the background. */
  onCall(holder: string, weights: string): void
  /** Asks now. True when the proof holds, false when it does not, undefined when none came. */
  ask(holder: string, weights: string): Promise<boolean | undefined>
  stop(): Promise<void>
}

export type SpotChecksNeeds = {
  readonly network: Pick<Network, 'serve' | 'request'>
  readonly networkDigest: Uint8Array
  readonly key: Pick<SigningKey, 'sign'>
  readonly keyOfPeer: (peerId: string) => Uint8Array | undefined
  readonly prove: (weights: string, salt: Uint8Array, count: number) => Promise<SpotProof | undefined>
  readonly reputation: Reputation
  readonly nowMs: () => number
  readonly logger: RoutingLogger
}

export const spotProtocol = '/blyan/spot/1'
export const spotCheckLimits = Object.freeze({
  leaves: 2,
  everyMs: 10 * 60_000,
  timeoutMs: 10_000,
  proofsAtOnceMax: 2,
  asksAtOnceMax: 4,
  holdersMax: 4096,
  /** Who shows nothing so many times in a row has nothing to show. */
  refusalsMax: 3,
  questionBytesMax: 256,
  answerBytesMax: 4 * 1024 * 1024
})
const domain = new TextEncoder().encode('blyan/spot-proof/1')

export function createSpotChecks(needs: SpotChecksNeeds): SpotChecks {
  return new NetworkSpotChecks(needs)
}

type Memory = { askedAtMs: number; refusals: number }

class NetworkSpotChecks implements SpotChecks {
  readonly #needs: SpotChecksNeeds
  readonly #holders = new Map<string, Memory>()
  readonly #asking = new Set<Promise<unknown>>()
  #proving = 0

  constructor(needs: SpotChecksNeeds) {
    this.#needs = needs
    needs.network.serve(spotProtocol, (_, question) => this.#answer(question))
  }

  onCall(holder: string, weights: string): void {
    const now = this.#needs.nowMs()
    const known = this.#holders.get(holder)
    const isDue = known === undefined || now - known.askedAtMs >= spotCheckLimits.everyMs
    if (!isDue || this.#asking.size >= spotCheckLimits.asksAtOnceMax) return
    const asking = this.ask(holder, weights)
    this.#asking.add(asking)
    void asking.finally(() => this.#asking.delete(asking))
  }

  async ask(holder: string, weights: string): Promise<boolean | undefined> {
    const { network, reputation, nowMs, logger } = this.#needs
    const memory = this.#memoryOf(holder)
    memory.askedAtMs = nowMs()
    const salt = new Uint8Array(randomBytes(spotLimits.saltBytes))
    const question = encodeCanonical([parseCid(weights), salt, spotCheckLimits.leaves])
    try {
      const answer = await network.request(holder, spotProtocol, question, spotCheckLimits.timeoutMs)
      await this.#check(holder, weights, salt, answer)
      memory.refusals = 0
      return true
    } catch (error) {
      const isRefusal = isBlyanError(error, 'PEER_REQUEST_FAILED')
      memory.refusals++
      logger.debug({ holder, code: describeError(error).code }, 'a spot proof did not come or is wrong')
      if (isRefusal && memory.refusals < spotCheckLimits.refusalsMax) return undefined
      memory.refusals = 0
      reputation.note(holder, 'weights-unproven', nowMs())
      logger.warn({ holder, weights }, 'a holder could not show the weights it answers with and is in quarantine')
      return false
    }
  }

  async stop(): Promise<void> {
    await Promise.allSettled(this.#asking)
  }

  async #check(holder: string, weights: string, salt: Uint8Array, answer: Uint8Array): Promise<void> {
    const { proof, signature } = readAnswer(answer)
    checkSpotProof(weights, salt, spotCheckLimits.leaves, proof)
    const message = this.#signingBytes(spotDigest(weights, salt, proof))
    const isSigned = await verifySignature(this.#needs.keyOfPeer(holder) ?? new Uint8Array(), message, signature)
    if (!isSigned) throw new Error('the signature is wrong')
  }

  async #answer(question: Uint8Array): Promise<Uint8Array> {
    const { prove, key } = this.#needs
    const { weights, salt, count } = readQuestion(question)
    // No code of ours: who asks at a bad moment, or for what is not here, is at no fault.
    if (this.#proving >= spotCheckLimits.proofsAtOnceMax) throw new Error('busy')
    this.#proving++
    try {
      const proof = await prove(weights, salt, count)
      if (proof === undefined) throw new Error('not here')
      const signature = key.sign(this.#signingBytes(spotDigest(weights, salt, proof)))
      const leaves = proof.leaves.map(({ tile, bytes }): CanonicalValue => [tile, bytes])
      return encodeCanonical([proof.root, leaves, signature])
    } finally {
      this.#proving--
    }
  }

  #signingBytes(digest: Uint8Array): Uint8Array {
    return concatBytes(domain, this.#needs.networkDigest, digest)
  }

  #memoryOf(holder: string): Memory {
    const memory = this.#holders.get(holder) ?? { askedAtMs: 0, refusals: 0 }
    this.#holders.delete(holder)
    if (this.#holders.size >= spotCheckLimits.holdersMax) this.#holders.delete(this.#holders.keys().next().value!)
    this.#holders.set(holder, memory)
    return memory
  }
}

/** Throws ENCODING_INVALID or Error. */
function readQuestion(bytes: Uint8Array): { weights: string; salt: Uint8Array; count: number } {
  const [weights, salt, count] = listOf(bytes, spotCheckLimits.questionBytesMax)
  if (weights === undefined || weights === null || !(salt instanceof Uint8Array) || typeof count !== 'number')
    throw new Error('malformed question')
  return { weights: parseCid(String(weights)).toString(), salt, count }
}

function readAnswer(bytes: Uint8Array): { proof: SpotProof; signature: Uint8Array } {
  const [root, leaves, signature] = listOf(bytes, spotCheckLimits.answerBytesMax)
  if (!(root instanceof Uint8Array) || !(signature instanceof Uint8Array) || !Array.isArray(leaves))
    throw new Error('malformed answer')
  const read = leaves.map((entry: unknown) => {
    const [tile, leaf] = Array.isArray(entry) ? (entry as unknown[]) : []
    if (!(leaf instanceof Uint8Array) || !(tile === null || tile instanceof Uint8Array))
      throw new Error('malformed answer')
    return { tile, bytes: leaf }
  })
  return { proof: { root, leaves: read }, signature }
}

function listOf(bytes: Uint8Array, sizeBytesMax: number): readonly unknown[] {
  const value = decodeCanonical(bytes, { sizeBytesMax })
  if (!Array.isArray(value) || value.length !== 3) throw new Error('malformed')
  return value
}
