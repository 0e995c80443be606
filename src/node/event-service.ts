import { Buffer } from 'node:buffer'
import { bytesToHex, digestOfCid, hexToBytes, parseCid, publicKeyToText, type SigningKey } from '../codec/index.ts'
import type { Quorum } from '../consensus/index.ts'
import {
  type Chains,
  decodeEvent,
  type ExecutedEvent,
  eventId,
  eventLimits,
  type Genesis,
  type HandlerRegistry,
  type SignedEvent,
  signEvent,
  verifyEvent
} from '../dag/index.ts'
import { BlyanError, type ErrorCode, errorTable } from '../errors/index.ts'
import type { Network } from '../net/index.ts'
import type { SubmitRequest, SubmittedEvent, Wait } from './blyan-node.ts'

export type EventServiceNeeds = {
  readonly genesis: Genesis
  readonly handlers: HandlerRegistry
  readonly chains: Chains
  readonly quorum: Quorum
  readonly network: Network
  /** Index among the validators; undefined for a node that only follows. */
  readonly validator: number | undefined
  readonly account: SigningKey
  readonly region: string
  readonly origin: string
}

/** Takes events in, brings them before the quorum, and tells their submitters when they are final. */
export interface EventService {
  /** Throws EVENT_* codes, MEMPOOL_FULL, NOT_FINAL_IN_TIME. */
  submit(request: SubmitRequest, wait: Wait): Promise<SubmittedEvent>
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
  readonly waiters: ((outcome: ExecutedEvent | 'replayed') => void)[]
}

const pendingMax = 20_000
const relayedMax = 4096
const relayedBytesMax = 32 * 1024 * 1024
const resendMs = 3000
const relayTurnMs = 500
const clockAheadMax = 64

class NodeEventService implements EventService {
  readonly #needs: EventServiceNeeds
  readonly #topic: string
  readonly #pending = new Map<string, Pending>()
  /** Highest clock of an author among what is pending here. */
  readonly #clocks = new Map<string, { clock: number; count: number }>()
  readonly #relayed = new Map<string, { event: SignedEvent; dueAtMs: number }>()
  #relayedBytes = 0
  #finalityListener: (elapsedMs: number) => void = () => {}
  #timer: NodeJS.Timeout | undefined

  constructor(needs: EventServiceNeeds) {
    this.#needs = needs
    this.#topic = `/blyan/${needs.genesis.digestHex.slice(0, 16)}/events/1`
    needs.chains.onFinal(executed => this.#final(executed))
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
    let event: SignedEvent
    if ('signedEvent' in request) {
      event = await this.#checkSigned(request.signedEvent)
      const known = await this.#knownAsFinal(event)
      if (known !== undefined) return known
    } else {
      event = this.#sign(request)
    }
    // No await between choosing a clock and taking the event: two callers must not get the same one.
    const final = this.#take(event, startedAtMs)
    if (!wait.wait) return submitted(event, null, null, startedAtMs)
    const executed = await withTimeout(final, wait.timeoutMs, wait.signal)
    if (executed === undefined)
      throw new BlyanError('NOT_FINAL_IN_TIME', { eventId: idText(event), timeoutMs: wait.timeoutMs })
    if (executed === 'replayed') {
      const { author, logicalClock } = event.envelope
      throw new BlyanError('EVENT_CLOCK_REPLAYED', { logicalClock, expected: this.#nextClock(author) })
    }
    if (executed.refusal !== '') throw refusalError(executed)
    return submitted(event, executed.sequence, executed.block, startedAtMs)
  }

  #sign(request: Exclude<SubmitRequest, { signedEvent: Uint8Array }>): SignedEvent {
    const { account, genesis, region, origin } = this.#needs
    this.#checkPayload(request.type, request.payload)
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

  async #checkSigned(bytes: Uint8Array): Promise<SignedEvent> {
    const event = decodeEvent(bytes)
    this.#checkPayload(event.envelope.type, event.envelope.payload)
    if (!(await verifyEvent(event, this.#needs.genesis.digest)))
      throw new BlyanError('EVENT_SIGNATURE_WRONG', { genesis: this.#needs.genesis.cid })
    return event
  }

  /** A clock that its author's chain clock has not reached cannot be final yet: no look at the disk. */
  async #knownAsFinal(event: SignedEvent): Promise<SubmittedEvent | undefined> {
    const startedAtMs = performance.now()
    const { author, logicalClock } = event.envelope
    if (logicalClock <= this.#needs.chains.clockOf(author)) {
      const found = await this.#needs.chains.event(event.digest)
      if (found !== undefined) return submitted(event, found.record.sequence, found.record.block, startedAtMs)
    }
    if (!this.#pending.has(event.digest)) this.#checkClock(author, logicalClock)
    return undefined
  }

  #checkPayload(type: string, payload: Uint8Array): void {
    const handler = this.#needs.handlers.get(type)
    if (payload.length > eventLimits.payloadBytesMax)
      throw new BlyanError('EVENT_PAYLOAD_TOO_LARGE', {
        sizeBytes: payload.length,
        limitBytes: eventLimits.payloadBytesMax
      })
    handler.describePayload(payload)
  }

  #nextClock(author: Uint8Array): number {
    return Math.max(this.#needs.chains.clockOf(author), this.#clocks.get(publicKeyToText(author))?.clock ?? 0) + 1
  }

  #checkClock(author: Uint8Array, logicalClock: number): void {
    const expected = this.#nextClock(author)
    if (logicalClock < expected) throw new BlyanError('EVENT_CLOCK_REPLAYED', { logicalClock, expected })
    if (logicalClock > expected) throw new BlyanError('EVENT_CLOCK_GAP', { logicalClock, expected })
  }

  #take(event: SignedEvent, startedAtMs: number): Promise<ExecutedEvent | 'replayed'> {
    let entry = this.#pending.get(event.digest)
    if (entry === undefined) {
      if (this.#pending.size >= pendingMax) throw new BlyanError('MEMPOOL_FULL')
      entry = { event, startedAtMs, lastSentAtMs: startedAtMs, attempts: 0, waiters: [] }
      // Before it is offered: with one validator it can be final before the call returns.
      this.#pending.set(event.digest, entry)
      if (!this.#offer(entry)) {
        this.#pending.delete(event.digest)
        throw new BlyanError('MEMPOOL_FULL')
      }
      this.#countClock(event, 1)
    }
    const { waiters } = entry
    return new Promise(resolve => waiters.push(resolve))
  }

  #offer(entry: Pending): boolean {
    if (this.#needs.validator !== undefined)
      return this.#needs.quorum.submit([{ id: entry.event.digest, bytes: entry.event.bytes }])
    // The first byte makes a second try another message; gossip drops what it has seen.
    const message = Buffer.concat([Uint8Array.of(entry.attempts++ % 256), entry.event.bytes])
    this.#needs.network.publish(this.#topic, message).catch(() => {})
    return true
  }

  #countClock(event: SignedEvent, change: 1 | -1): void {
    const author = publicKeyToText(event.envelope.author)
    const entry = this.#clocks.get(author) ?? { clock: 0, count: 0 }
    entry.count += change
    if (change === 1) entry.clock = Math.max(entry.clock, event.envelope.logicalClock)
    if (entry.count === 0) this.#clocks.delete(author)
    else this.#clocks.set(author, entry)
  }

  #final(executed: ExecutedEvent): void {
    this.#forgetRelayed(executed.event.digest)
    const entry = this.#pending.get(executed.event.digest)
    if (entry === undefined) return
    this.#pending.delete(executed.event.digest)
    this.#countClock(entry.event, -1)
    this.#finalityListener(performance.now() - entry.startedAtMs)
    for (const waiter of entry.waiters) waiter(executed)
  }

  /** Another event took its clock (submitted elsewhere, or by this node before it was killed): it will never be final. */
  #replayed(digest: string): void {
    const entry = this.#pending.get(digest)
    if (entry === undefined) return
    this.#pending.delete(digest)
    this.#countClock(entry.event, -1)
    for (const waiter of entry.waiters) waiter('replayed')
  }

  /** An event of a node that is no validator. Each validator takes it in its turn, unless it has become final before. */
  async #gossiped(bytes: Uint8Array): Promise<'accept' | 'ignore' | 'reject'> {
    let event: SignedEvent
    try {
      event = decodeEvent(bytes.subarray(1))
      this.#checkPayload(event.envelope.type, event.envelope.payload)
    } catch {
      return 'reject'
    }
    if (!(await verifyEvent(event, this.#needs.genesis.digest))) return 'reject'
    const { author, logicalClock } = event.envelope
    const clock = this.#needs.chains.clockOf(author)
    if (logicalClock <= clock || logicalClock > clock + clockAheadMax) return 'ignore'
    const { validator } = this.#needs
    if (
      validator === undefined ||
      this.#relayed.size >= relayedMax ||
      this.#relayedBytes >= relayedBytesMax ||
      this.#relayed.has(event.digest)
    )
      return 'accept'
    const count = this.#needs.genesis.committee.validators.length
    const turn = (hexToBytes(event.digest)![0]! + validator) % count
    this.#relayedBytes += event.bytes.length
    this.#relayed.set(event.digest, { event, dueAtMs: performance.now() + turn * relayTurnMs })
    if (turn === 0) this.#round()
    return 'accept'
  }

  #forgetRelayed(digest: string): void {
    const entry = this.#relayed.get(digest)
    if (entry === undefined) return
    this.#relayed.delete(digest)
    this.#relayedBytes -= entry.event.bytes.length
  }

  #round(): void {
    const nowMs = performance.now()
    for (const [digest, { event, dueAtMs }] of this.#relayed) {
      if (dueAtMs > nowMs) continue
      this.#forgetRelayed(digest)
      if (event.envelope.logicalClock > this.#needs.chains.clockOf(event.envelope.author))
        this.#needs.quorum.submit([{ id: digest, bytes: event.bytes }])
    }
    if (this.#needs.validator !== undefined) return
    for (const entry of this.#pending.values()) {
      if (nowMs - entry.lastSentAtMs < resendMs) continue
      entry.lastSentAtMs = nowMs
      this.#offer(entry)
    }
  }
}

/** The 32 bytes (hex) of an event id. Throws CID_INVALID. */
export function digestOfEventId(text: string): string {
  return bytesToHex(digestOfCid(parseCid(text)))
}

function idText(event: SignedEvent): string {
  return eventId(hexToBytes(event.digest)!).toString()
}

function submitted(
  event: SignedEvent,
  sequence: number | null,
  block: string | null,
  startedAtMs: number
): SubmittedEvent {
  const final = sequence !== null
  return {
    eventId: idText(event),
    final,
    finality: final ? 'final' : 'pending',
    sequence,
    block,
    elapsedMs: performance.now() - startedAtMs
  }
}

function refusalError(executed: ExecutedEvent): BlyanError {
  const code = executed.refusal in errorTable ? (executed.refusal as ErrorCode) : 'INTERNAL'
  return new BlyanError('EVENT_REFUSED', { eventId: idText(executed.event), sequence: executed.sequence, code })
}

async function withTimeout<T>(
  promise: Promise<T>,
  timeoutMs: number,
  signal: AbortSignal | undefined
): Promise<T | undefined> {
  const timeout = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => timeout.resolve(undefined), timeoutMs)
  const stop = (): void => timeout.resolve(undefined)
  signal?.addEventListener('abort', stop, { once: true })
  try {
    return await Promise.race([promise, timeout.promise])
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', stop)
  }
}
