import { randomInt } from 'node:crypto'
import { bytesEqual, verifySignature } from '../../codec/index.ts'
import { describeError } from '../../errors/index.ts'
import {
  type Arithmetic,
  commitmentSigningBytes,
  createSamplingSchedule,
  type ExpectedCommitment,
  type Finding,
  matchCommitment,
  type Reputation,
  rowDifference,
  rowOf,
  type SamplingSchedule,
  tolerances
} from '../../guardian/index.ts'
import type { RoutingLogger } from '../routing-types.ts'
import type { AuditedCall, CallVerdict, Recheck, Recomputed } from './audit-types.ts'
import { createCanaryChecks } from './canary-checks.ts'

/** Looks at what holders answer. */
export interface CallAuditor {
  /**
   * After each call: takes its commitment, and has the call computed again in the background when it is drawn. Never
   * throws, never waits.
   */
  onCall(call: AuditedCall): void
  /** Mode secure: whether this answer may be used. One secret row of every expert is computed again. */
  check(call: AuditedCall, signal?: AbortSignal): Promise<CallVerdict>
  /** Waits for the checks that are under way. */
  stop(): Promise<void>
}

export type CallAuditorNeeds = {
  /** SHA-256 of the genesis. */
  readonly network: Uint8Array
  /** Own peer id. */
  readonly gateway: string
  /** 32 random bytes that nobody else knows. */
  readonly secret: Uint8Array
  readonly reputation: Reputation
  /** The node key in a peer id; undefined for one that has none of our kind. */
  readonly keyOfPeer: (peerId: string) => Uint8Array | undefined
  /** With the named weights on this machine; undefined when they are not here. */
  readonly recompute: (recheck: Recheck, signal: AbortSignal) => Promise<Recomputed | undefined>
  /** Once more, slowly and apart from the engine, in the arithmetic that was named; undefined without the weights. */
  readonly lastWord: (
    recheck: Recheck,
    arithmetic: Arithmetic,
    signal: AbortSignal
  ) => Promise<Float64Array | undefined>
  /** Asks a holder of these weights as for any other call: this one, or any but that one. Undefined without an answer. */
  readonly ask?: (recheck: Recheck, whom: Asked, signal: AbortSignal) => Promise<AuditedCall | undefined>
  /** Once in a while for each holder that is looked at: whether it has the weights at all. */
  readonly onDrawn?: (holder: string, weights: string) => void
  /** A row that the named weights do not give, for evidence. */
  readonly onWrong?: (wrong: WrongRow) => void
  readonly nowMs: () => number
  readonly logger: RoutingLogger
}

export type Asked = { readonly holder: string } | { readonly except: string }
export type WrongRow = { readonly call: AuditedCall; readonly load: number; readonly row: number }

export const auditLimits = Object.freeze({
  /** Checks under way; what is drawn beyond them is made up for by the next call of that holder. */
  checksMax: 8,
  rowsPerCheckMax: 4,
  holdersMax: 4096,
  checkMsMax: 60_000
})

export function createCallAuditor(needs: CallAuditorNeeds): CallAuditor {
  return new SamplingAuditor(needs)
}

type Last = NonNullable<ExpectedCommitment['last']>
type Matched = ReturnType<typeof matchCommitment>
type Answered = Recomputed & { readonly holder: string }
type Disagreement = {
  readonly recheck: Recheck
  readonly arithmetic: Arithmetic
  readonly answered: Float32Array
  /** What was computed here, else by somebody who was asked. */
  readonly here: Recomputed | undefined
  readonly other: Answered | undefined
}
type Place = { readonly load: number; readonly row: number }

class SamplingAuditor implements CallAuditor {
  readonly #needs: CallAuditorNeeds
  readonly #schedule: SamplingSchedule
  /** The newest commitment of each holder. */
  readonly #last = new Map<string, Last>()
  /** Holders whose drawn call could not be looked at: the next one is. */
  readonly #owing = new Set<string>()
  readonly #canaries = createCanaryChecks()
  readonly #running = new Set<Promise<unknown>>()
  readonly #stopping = new AbortController()

  constructor(needs: CallAuditorNeeds) {
    this.#needs = needs
    this.#schedule = createSamplingSchedule(needs.secret)
  }

  onCall(call: AuditedCall): void {
    const { reputation, nowMs } = this.#needs
    const { holder } = call
    const isDrawn = this.#schedule.isSampled(holder, reputation.isWatched(holder, nowMs()))
    const isChecked = (isDrawn || this.#owing.has(holder)) && this.#running.size < auditLimits.checksMax
    if (isDrawn && !isChecked) this.#owe(holder)
    const commitment = this.#match(call)
    if (commitment === undefined) return
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(auditLimits.checkMsMax)])
    const work = this.#follow(call, commitment, isChecked ? drawRows(call, auditLimits.rowsPerCheckMax) : [], signal)
    this.#running.add(work)
    void work.finally(() => this.#running.delete(work))
  }

  async check(call: AuditedCall, signal: AbortSignal = this.#stopping.signal): Promise<CallVerdict> {
    const commitment = this.#match(call)
    if (commitment === undefined) return 'wrong'
    if (!(await this.#isSigned(call, commitment))) return 'wrong'
    const places = call.loads.map((load, place) => ({ load: place, row: randomInt(load.input.length / load.width) }))
    return this.#verdict(call, commitment.body.arithmetic, places, AbortSignal.any([this.#stopping.signal, signal]))
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.allSettled(this.#running)
  }

  async #follow(call: AuditedCall, commitment: Matched, places: readonly Place[], signal: AbortSignal): Promise<void> {
    try {
      if (!(await this.#isSigned(call, commitment)) || places.length === 0) return
      this.#needs.onDrawn?.(call.holder, call.loads[places[0]!.load]!.weights)
      const verdict = await this.#verdict(call, commitment.body.arithmetic, places, signal)
      const isSure = verdict !== 'inconclusive' || (await this.#trySomethingElse(call, signal))
      if (!isSure) this.#owe(call.holder)
      else this.#owing.delete(call.holder)
    } catch (error) {
      // Our own failure: nothing is held against the holder.
      if (!signal.aborted) this.#owe(call.holder)
      this.#needs.logger.debug({ holder: call.holder, code: describeError(error).code }, 'a check was given up')
    }
  }

  /** What it says against what came. A holder that cannot stand by its answer is not asked again for now. */
  #match(call: AuditedCall) {
    const { network, gateway, keyOfPeer } = this.#needs
    const { holder, request, layer, loads } = call
    try {
      const key = keyOfPeer(holder) ?? new Uint8Array()
      const expected = { network, gateway, holder: key, request, layer, loads, last: this.#last.get(holder) }
      const matched = matchCommitment(call.commitment.bytes, expected)
      this.#remember(holder, matched)
      return matched
    } catch (error) {
      this.#note(holder, 'commitment-broken', describeError(error).message)
      return undefined
    }
  }

  async #isSigned({ holder, commitment }: AuditedCall, { body, digest }: Matched): Promise<boolean> {
    const message = commitmentSigningBytes(body.network, digest)
    const isSigned = await verifySignature(body.holder, message, commitment.signature)
    if (!isSigned) this.#note(holder, 'commitment-broken', 'the signature is wrong')
    return isSigned
  }

  async #verdict(
    call: AuditedCall,
    arithmetic: Arithmetic,
    places: readonly Place[],
    signal: AbortSignal
  ): Promise<CallVerdict> {
    const verdicts = await Promise.all(places.map(place => this.#verdictOfRow(call, arithmetic, place, signal)))
    if (verdicts.includes('wrong')) return 'wrong'
    if (verdicts.includes('inconclusive')) return 'inconclusive'
    this.#note(call.holder, 'right')
    return 'right'
  }

  async #verdictOfRow(
    call: AuditedCall,
    arithmetic: Arithmetic,
    { load, row }: Place,
    signal: AbortSignal
  ): Promise<CallVerdict> {
    const { weights, width, input, output } = call.loads[load]!
    const { model, layer, holder } = call
    const recheck = { model, layer, weights, width, input: rowOf(input, width, row) }
    const answered = rowOf(output, width, row)
    const here = await this.#needs.recompute(recheck, signal)
    const other = here === undefined ? await this.#ask(recheck, { except: holder }, signal) : undefined
    const again = here ?? other
    const difference = again === undefined ? undefined : rowDifference(again.output, answered)
    if (again?.arithmetic === arithmetic && difference !== undefined && difference <= tolerances[arithmetic]) {
      if (here !== undefined) this.#canaries.keep(recheck, answered, arithmetic, holder)
      return 'right'
    }
    // Nobody could be asked, or two machines do not agree. Neither is believed: the weights have the last word.
    return this.#decide({ call, load, row }, { recheck, arithmetic, answered, here, other }, signal)
  }

  async #decide(wrong: WrongRow, given: Disagreement, signal: AbortSignal): Promise<CallVerdict> {
    const { recheck, arithmetic, answered, here, other } = given
    const { lastWord, logger, onWrong } = this.#needs
    const truth = await lastWord(recheck, arithmetic, signal)
    const difference = truth === undefined ? undefined : rowDifference(truth, answered)
    if (difference === undefined) return 'inconclusive'
    if (other !== undefined) this.#noteOther(other, await lastWord(recheck, other.arithmetic, signal))
    if (difference <= tolerances[arithmetic]) {
      if (here?.arithmetic === arithmetic)
        logger.warn({ weights: recheck.weights }, 'the engine here gives results that its weights do not')
      return 'right'
    }
    this.#note(wrong.call.holder, 'wrong', `a row is ${difference.toPrecision(3)} away from what its weights give`)
    onWrong?.(wrong)
    return 'wrong'
  }

  #noteOther({ holder, output, arithmetic }: Answered, truth: Float64Array | undefined): void {
    const difference = truth === undefined ? undefined : rowDifference(truth, output)
    if (difference === undefined || difference <= tolerances[arithmetic]) return
    this.#note(holder, 'wrong', `a row is ${difference.toPrecision(3)} away from what its weights give`)
  }

  /** The rows of this call cannot be looked at: a row of an earlier one, whose right answer is known. */
  async #trySomethingElse({ holder, loads }: AuditedCall, signal: AbortSignal): Promise<boolean> {
    const drawn = this.#canaries.draw(holder, new Set(loads.map(({ weights }) => weights)))
    if (drawn === undefined) return false
    const answer = await this.#ask(drawn.recheck, { holder }, signal)
    const verdict = answer === undefined ? 'inconclusive' : drawn.judge(answer.output, answer.arithmetic)
    if (verdict === 'right') this.#note(holder, 'right')
    if (verdict === 'wrong') this.#note(holder, 'wrong', 'a row that was asked again has another answer')
    return verdict !== 'inconclusive'
  }

  /** What somebody else makes of these rows, when it stands by it. */
  async #ask(recheck: Recheck, whom: Asked, signal: AbortSignal): Promise<Answered | undefined> {
    const call = await this.#needs.ask?.(recheck, whom, signal)
    const matched = call === undefined ? undefined : this.#match(call)
    if (call === undefined || matched === undefined || !(await this.#isSigned(call, matched))) return undefined
    return { holder: call.holder, output: call.loads[0]!.output, arithmetic: matched.body.arithmetic }
  }

  #note(holder: string, finding: Finding, reason = ''): void {
    const { reputation, nowMs, logger } = this.#needs
    reputation.note(holder, finding, nowMs())
    // The reason names numbers of ours, never a text of the peer.
    if (finding !== 'right') logger.warn({ holder, finding, reason }, 'a holder was caught and is in quarantine')
  }

  #owe(holder: string): void {
    if (this.#owing.size < auditLimits.holdersMax) this.#owing.add(holder)
  }

  #remember(holder: string, { body: { session, number }, digest }: Matched): void {
    const last = this.#last.get(holder)
    // One that comes late says nothing about what follows.
    if (last !== undefined && bytesEqual(last.session, session) && number < last.number) return
    this.#last.delete(holder)
    if (this.#last.size >= auditLimits.holdersMax) this.#last.delete(this.#last.keys().next().value!)
    this.#last.set(holder, { session, number, digest })
  }
}

/** Rows of this call that nobody could foresee: at most so many, spread over its experts. */
function drawRows(call: AuditedCall, rowsMax: number): Place[] {
  const counts = call.loads.map(({ input, width }) => input.length / width)
  const total = counts.reduce((sum, count) => sum + count, 0)
  const drawn = new Set<number>()
  while (drawn.size < Math.min(rowsMax, total)) drawn.add(randomInt(total))
  return [...drawn].map(number => {
    let load = 0
    let row = number
    while (row >= counts[load]!) row -= counts[load++]!
    return { load, row }
  })
}
