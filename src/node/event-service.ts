import { Buffer } from 'node:buffer'
import { hexToBytes, publicKeyToText, type SigningKey } from '../codec/index.ts'
import type { PendingEvent, Quorum } from '../consensus/index.ts'
import {
  type Chains,
  decodeEvent,
  type ExecutedEvent,
  type Genesis,
  type HandlerRegistry,
  type SignedEvent,
  signEvent
} from '../dag/index.ts'
import { BlyanError, isBlyanError } from '../errors/index.ts'
import { balanceOf } from '../ledger/index.ts'
import type { Network } from '../net/index.ts'
import type { Finality, SubmitRequest, SubmittedEvent, Wait } from './blyan-node.ts'
import { DegradedEvents } from './degraded-events.ts'
import { idText, refusalError, submitted } from './event-answer.ts'
import { EventIntake, orRefusal } from './event-intake.ts'
import { committeeOf, finalityOf } from './finality.ts'
import { RelayedEvents } from './relayed-events.ts'
import { withTimeout } from './with-timeout.ts'

export type EventServiceNeeds = {
  readonly genesis: Genesis
  readonly handlers: HandlerRegistry
  readonly chains: Chains
  readonly quorum: Quorum
  readonly network: Network
  readonly account: SigningKey
  readonly region: string
  readonly origin: string
}

/** Takes events in, brings them before the quorum, and tells their submitters when they are final. */
export interface EventService {
  /** Throws EVENT_* codes, MEMPOOL_FULL, NOT_FINAL_IN_TIME. Answers `degraded` where a full quorum does not confirm soon. */
  submit(request: SubmitRequest, wait: Wait): Promise<SubmittedEvent>
  /** The same for many that are signed already: an answer or a refusal for each, in their order. */
  submitSigned(batch: readonly Uint8Array[], wait: Wait): Promise<(SubmittedEvent | BlyanError)[]>
  /** The logical clock that the next event of an author has to have. */
  nextClock(author: Uint8Array): number
  /** Submitted here and not final yet. */
  pending(digest: string): SignedEvent | undefined
  readonly pendingCount: number
  /** Milliseconds from submission to finality of the newest events, for metrics. */
  onFinalityMs(listener: (elapsedMs: number) => void): void
  start(): void
  stop(): void
}

export function createEventService(needs: EventServiceNeeds): EventService {
  return new NodeEventService(needs)
}

type Pending = {
  readonly event: SignedEvent
  readonly startedAtMs: number
  lastSentAtMs: number
  attempts: number
  readonly waiters: ((outcome: Outcome) => void)[]
}

type Outcome = { readonly executed: ExecutedEvent; readonly finality: Finality } | 'replayed'

const pendingMax = 20_000
const degradedMax = 20_000
/** How long a submitter waits for the last signatures: less where it is known that somebody who would sign is away. */
const graceMs = 2000
const graceWithoutMembersMs = 200
const graceAskEveryMs = 100
const resendMs = 3000
const relayTurnMs = 500
const clockAheadMax = 64

class NodeEventService implements EventService {
  readonly #needs: EventServiceNeeds
  readonly #intake: EventIntake
  readonly #topic: string
  readonly #pending = new Map<string, Pending>()
  /** Highest clock of an author among what is pending here. */
  readonly #clocks = new Map<string, { clock: number; count: number }>()
  /** Executed, and waiting for the signatures of a full quorum. */
  readonly #degraded = new DegradedEvents<Pending>(degradedMax)
  #grace = { askedAtMs: Number.NEGATIVE_INFINITY, lengthMs: graceMs }
  readonly #relayed = new RelayedEvents()
  #finalityListener: (elapsedMs: number) => void = () => {}
  #timer: NodeJS.Timeout | undefined
  #wasValidator = true

  constructor(needs: EventServiceNeeds) {
    this.#needs = needs
    this.#intake = new EventIntake(needs)
    this.#topic = `/blyan/${needs.genesis.digestHex.slice(0, 16)}/events/1`
    needs.chains.onFinal((executed, commitIndex) => this.#executed(executed, commitIndex))
    needs.chains.onCertified(commitIndex => this.#certified(commitIndex))
    needs.chains.onReplayed(digest => this.#replayed(digest))
    needs.network.subscribe(this.#topic, (_, bytes) => this.#gossiped(bytes))
  }

  get pendingCount(): number {
    return this.#pending.size
  }

  start(): void {
    // Of before a restart: they are on their way already, and their clocks are taken.
    for (const { bytes } of this.#needs.quorum.restoredEvents()) {
      const event = decodeEvent(bytes)
      if (event.envelope.logicalClock <= this.#needs.chains.clockOf(event.envelope.author)) continue
      this.#pending.set(event.digest, {
        event,
        startedAtMs: performance.now(),
        lastSentAtMs: 0,
        attempts: 0,
        waiters: []
      })
      this.#countClock(event, 1)
    }
    this.#timer = setInterval(() => this.#round(), relayTurnMs / 2)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  pending(digest: string): SignedEvent | undefined {
    return this.#pending.get(digest)?.event
  }

  onFinalityMs(listener: (elapsedMs: number) => void): void {
    this.#finalityListener = listener
  }

  async submit(request: SubmitRequest, wait: Wait): Promise<SubmittedEvent> {
    const startedAtMs = performance.now()
    if (!('signedEvent' in request)) {
      // No await between choosing a clock and taking the event: two callers must not get the same one.
      const [entry] = this.#take([this.#sign(request)], startedAtMs)
      if (entry instanceof BlyanError) throw entry
      return this.#answer(entry!, wait)
    }
    const [answer] = await this.submitSigned([request.signedEvent], wait)
    if (answer instanceof BlyanError) throw answer
    return answer!
  }

  async submitSigned(batch: readonly Uint8Array[], wait: Wait): Promise<(SubmittedEvent | BlyanError)[]> {
    const startedAtMs = performance.now()
    const checked = await this.#intake.check(batch)
    const known: (SubmittedEvent | undefined)[] = []
    for (const [place, event] of checked.entries())
      if (!(event instanceof BlyanError) && this.#mayBeFinal(event)) known[place] = await this.#knownAsFinal(event)
    const entries = this.#take(
      checked.filter((event, place) => !(event instanceof BlyanError) && known[place] === undefined) as SignedEvent[],
      startedAtMs
    ).values()
    const answers = checked.map((event, place) => {
      if (event instanceof BlyanError) return event
      return known[place] ?? entries.next().value!
    })
    return Promise.all(
      answers.map(answer => ('waiters' in answer ? this.#answer(answer, wait).catch(refusalOnly) : answer))
    )
  }

  async #answer(entry: Pending, wait: Wait): Promise<SubmittedEvent> {
    const { event, startedAtMs, waiters } = entry
    if (!wait.wait) return submitted(event, undefined, 'pending', startedAtMs)
    const told = withTimeout(new Promise<Outcome>(resolve => waiters.push(resolve)), wait)
    const outcome = (await told) ?? this.#degradedOutcome(event.digest)
    if (outcome === undefined)
      throw new BlyanError('NOT_FINAL_IN_TIME', { eventId: idText(event), timeoutMs: wait.timeoutMs })
    if (outcome === 'replayed') {
      const { author, logicalClock } = event.envelope
      throw new BlyanError('EVENT_CLOCK_REPLAYED', { logicalClock, expected: this.#nextClock(author) })
    }
    const { executed, finality } = outcome
    if (executed.refusal !== '') throw refusalError(executed)
    return submitted(event, executed, finality, startedAtMs, finality === 'degraded' ? this.#missing() : [])
  }

  /** A short wait can end between execution and the last signature: that is an answer too. */
  #degradedOutcome(digest: string): Outcome | undefined {
    const found = this.#degraded.get(digest)
    return found === undefined ? undefined : { executed: found.executed, finality: 'degraded' }
  }

  #sign(request: Exclude<SubmitRequest, { signedEvent: Uint8Array }>): SignedEvent {
    const { account, genesis, region, origin } = this.#needs
    this.#intake.checkPayload(request.type, request.payload)
    const logicalClock = request.logicalClock ?? this.#nextClock(account.publicKey)
    this.#checkClock(account.publicKey, logicalClock)
    const envelope = {
      tenantId: request.tenantId ?? '',
      logicalClock,
      region,
      origin,
      createdAtMs: Date.now(),
      type: request.type,
      payload: request.payload,
      author: account.publicKey
    }
    return signEvent(envelope, account, genesis.digest)
  }

  /** A clock that its author's chain clock has not reached cannot be final yet: no look at the disk. */
  #mayBeFinal({ envelope }: SignedEvent): boolean {
    return envelope.logicalClock <= this.#needs.chains.clockOf(envelope.author)
  }

  async #knownAsFinal(event: SignedEvent): Promise<SubmittedEvent | undefined> {
    const startedAtMs = performance.now()
    const found = await this.#needs.chains.event(event.digest)
    if (found === undefined) return undefined
    const finality = finalityOf(this.#needs, found.record.commitIndex)
    return submitted(event, found.record, finality, startedAtMs, finality === 'degraded' ? this.#missing() : [])
  }

  nextClock(author: Uint8Array): number {
    return this.#nextClock(author)
  }

  #nextClock(author: Uint8Array): number {
    return Math.max(this.#needs.chains.clockOf(author), this.#clocks.get(publicKeyToText(author))?.clock ?? 0) + 1
  }

  #checkClock(author: Uint8Array, logicalClock: number): void {
    const expected = this.#nextClock(author)
    if (logicalClock < expected) throw new BlyanError('EVENT_CLOCK_REPLAYED', { logicalClock, expected })
    if (logicalClock > expected) throw new BlyanError('EVENT_CLOCK_GAP', { logicalClock, expected })
  }

  /** Takes events in their order, so that each author's clocks may follow each other, and offers them together. */
  #take(events: readonly SignedEvent[], startedAtMs: number): (Pending | BlyanError)[] {
    const fresh: Pending[] = []
    const taken = events.map(event => orRefusal(() => this.#takeOne(event, startedAtMs, fresh)))
    const dropped = this.#offer(fresh)
    return taken.map(entry =>
      dropped.length > 0 && dropped.includes(entry as Pending) ? new BlyanError('MEMPOOL_FULL') : entry
    )
  }

  #takeOne(event: SignedEvent, startedAtMs: number, fresh: Pending[]): Pending {
    const known = this.#pending.get(event.digest)
    if (known !== undefined) return known
    this.#checkClock(event.envelope.author, event.envelope.logicalClock)
    if (this.#pending.size >= pendingMax / (this.#mustYield(event) ? 2 : 1)) throw new BlyanError('MEMPOOL_FULL')
    const entry: Pending = { event, startedAtMs, lastSentAtMs: startedAtMs, attempts: 0, waiters: [] }
    // Before it is offered: with one validator it can be final before the call returns.
    this.#pending.set(event.digest, entry)
    this.#countClock(event, 1)
    fresh.push(entry)
    return entry
  }

  /** What finds no room is forgotten, and comes back. */
  #offer(entries: readonly Pending[]): Pending[] {
    const { quorum } = this.#needs
    if (quorum.self === undefined) {
      for (const entry of entries) this.#publish(entry)
      return []
    }
    if (quorum.submit(entries.map(({ event }) => this.#pendingOf(event)))) return []
    const dropped = entries.filter(({ event }) => this.#pending.has(event.digest) && !quorum.hasPending(event.digest))
    for (const { event } of dropped) {
      this.#pending.delete(event.digest)
      this.#countClock(event, -1)
    }
    return dropped
  }

  #pendingOf(event: SignedEvent): PendingEvent {
    return { id: event.digest, bytes: event.bytes, mustYield: this.#mustYield(event) }
  }

  /** Whoever has no coins can try the network, and cannot fill it: keys cost nothing. */
  #mustYield({ envelope }: SignedEvent): boolean {
    const { genesis, chains } = this.#needs
    if (genesis.file.economy === undefined) return false
    return balanceOf(chains.state, publicKeyToText(envelope.author), 'BLY') === 0n
  }

  /** The first byte makes a second try another message; gossip drops what it has seen. */
  #publish(entry: Pending): void {
    const message = Buffer.concat([Uint8Array.of(entry.attempts++ % 256), entry.event.bytes])
    this.#needs.network.publish(this.#topic, message).catch(() => {})
  }

  #countClock(event: SignedEvent, change: 1 | -1): void {
    const author = publicKeyToText(event.envelope.author)
    const entry = this.#clocks.get(author) ?? { clock: 0, count: 0 }
    entry.count += change
    if (change === 1) entry.clock = Math.max(entry.clock, event.envelope.logicalClock)
    if (entry.count === 0) this.#clocks.delete(author)
    else this.#clocks.set(author, entry)
  }

  #executed(executed: ExecutedEvent, commitIndex: number): void {
    this.#relayed.forget(executed.event.digest)
    const entry = this.#pending.get(executed.event.digest)
    if (entry === undefined) return
    this.#pending.delete(executed.event.digest)
    this.#countClock(entry.event, -1)
    if (finalityOf(this.#needs, commitIndex) === 'final') {
      this.#final(entry, executed)
      return
    }
    const dropped = this.#degraded.add({ entry, executed, commitIndex, dueAtMs: this.#graceEndsAtMs() })
    if (dropped !== undefined) tell(dropped.entry, { executed: dropped.executed, finality: 'degraded' })
  }

  /** Asked for every event of a commit, and the same for all of them. */
  #graceEndsAtMs(): number {
    const nowMs = performance.now()
    if (nowMs - this.#grace.askedAtMs > graceAskEveryMs)
      this.#grace = { askedAtMs: nowMs, lengthMs: this.#missing().length > 0 ? graceWithoutMembersMs : graceMs }
    return nowMs + this.#grace.lengthMs
  }

  #certified(commitIndex: number): void {
    for (const { entry, executed } of this.#degraded.takeCertified(commitIndex)) this.#final(entry, executed)
  }

  #final(entry: Pending, executed: ExecutedEvent): void {
    this.#finalityListener(performance.now() - entry.startedAtMs)
    tell(entry, { executed, finality: 'final' })
  }

  /** Names of validators that are not connected: those whose signatures cannot come. */
  #missing(): string[] {
    const { members } = this.#needs.quorum.view()
    return committeeOf(this.#needs)
      .validators.filter((_, author) => members[author]?.connected === false)
      .map(validator => validator.name)
  }

  /** Another event took its clock (submitted elsewhere, or by this node before it was killed): it will never be final. */
  #replayed(digest: string): void {
    const entry = this.#pending.get(digest)
    if (entry === undefined) return
    this.#pending.delete(digest)
    this.#countClock(entry.event, -1)
    tell(entry, 'replayed')
  }

  /** An event of a node that is no validator. Each validator takes it in its turn, unless it has become final before. */
  async #gossiped(bytes: Uint8Array): Promise<'accept' | 'ignore' | 'reject'> {
    const [event] = await this.#intake.check([bytes.subarray(1)])
    if (event === undefined || event instanceof BlyanError) return 'reject'
    const { author, logicalClock } = event.envelope
    const clock = this.#needs.chains.clockOf(author)
    if (logicalClock <= clock || logicalClock > clock + clockAheadMax) return 'ignore'
    const validator = this.#needs.quorum.self
    if (validator === undefined) return 'accept'
    const count = this.#needs.chains.epoch.committee.validators.length
    const turn = (hexToBytes(event.digest)![0]! + validator) % count
    const dueAtMs = performance.now() + turn * relayTurnMs
    if (this.#relayed.add({ event, dueAtMs, mustYield: this.#mustYield(event) }) && turn === 0) this.#round()
    return 'accept'
  }

  #round(): void {
    const nowMs = performance.now()
    const { chains, quorum } = this.#needs
    const relayed = this.#relayed.takeDue(
      nowMs,
      ({ envelope }) => envelope.logicalClock > chains.clockOf(envelope.author)
    )
    if (relayed.length > 0) quorum.submit(relayed)
    for (const { entry, executed } of this.#degraded.takeDue(nowMs)) tell(entry, { executed, finality: 'degraded' })
    const isValidator = quorum.self !== undefined
    // What it had others bring in before is now its own to bring in.
    if (isValidator && !this.#wasValidator) this.#offer([...this.#pending.values()])
    this.#wasValidator = isValidator
    if (isValidator) return
    for (const entry of this.#pending.values()) {
      if (nowMs - entry.lastSentAtMs < resendMs) continue
      entry.lastSentAtMs = nowMs
      this.#publish(entry)
    }
  }
}

/** A refusal is an answer; anything else goes on. */
function refusalOnly(error: unknown): BlyanError {
  if (isBlyanError(error)) return error
  throw error
}

function tell(entry: Pending, outcome: Outcome): void {
  for (const waiter of entry.waiters.splice(0)) waiter(outcome)
}
