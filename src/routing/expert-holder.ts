import { describeError, isBlyanError } from '../errors/index.ts'
import { type Channel, type ChannelHandlers, type Network, protocolIds } from '../net/index.ts'
import { callLimits } from './core/call-limits.ts'
import { decodeExpertFrame, type ExpertFrame, encodeExpertFrame, type Refusal } from './core/wire.ts'
import type { Committer } from './integrity/index.ts'
import type { HolderNeeds, RoutingLogger } from './routing-types.ts'

/** Answers calls of other nodes with the experts that are mapped here. */
export interface ExpertHolder {
  /** Calls that are computed now. */
  readonly openCalls: number
  readonly served: { readonly calls: number; readonly rows: number; readonly refused: number }
  stop(): void
}

export type ExpertHolderNeeds = HolderNeeds & {
  readonly network: Pick<Network, 'serveChannel'>
  readonly committerFor: (gateway: string) => Committer
  readonly logger: RoutingLogger
}

const holderServiceLimits = Object.freeze({
  callsMax: 64,
  callsPerPeerMax: 32,
  /** Of all open calls. Who comes on top is told to go elsewhere. */
  rowsMax: 16_384
})

/** Must be created before the network starts. */
export function createExpertHolder(needs: ExpertHolderNeeds): ExpertHolder {
  return new ServingHolder(needs)
}

type Call = Extract<ExpertFrame, { kind: 'call' }>

class ServingHolder implements ExpertHolder {
  readonly #needs: ExpertHolderNeeds
  readonly #channels = new Set<ServedChannel>()
  readonly served = { calls: 0, rows: 0, refused: 0 }
  openCalls = 0
  #openRows = 0

  constructor(needs: ExpertHolderNeeds) {
    this.#needs = needs
    needs.network.serveChannel(protocolIds.experts, channel => this.#serve(channel))
  }

  stop(): void {
    for (const served of this.#channels) served.end()
  }

  #serve(channel: Channel): ChannelHandlers {
    const served = new ServedChannel(channel, this.#needs.committerFor(channel.peerId), () => this.openCalls)
    this.#channels.add(served)
    return {
      onFrame: bytes => {
        const frame = decodeExpertFrame(bytes)
        if (frame.kind === 'call') void this.#take(served, frame)
        else if (frame.kind === 'cancel') served.cancel(frame.call)
        else if (frame.kind === 'ping') served.send({ kind: 'pong', number: frame.number, openCalls: this.openCalls })
      },
      onClose: () => {
        served.end()
        this.#channels.delete(served)
      }
    }
  }

  async #take(served: ServedChannel, call: Call): Promise<void> {
    const rows = call.loads.reduce((sum, load) => sum + load.rows.length, 0)
    const refusal = this.#refusalOf(served, call)
    if (refusal !== undefined) return this.#refuse(served, call, refusal)
    const experts = call.loads.map(load => this.#needs.expertOf(load.tensor)!)
    const width = experts[0]!.width
    const signal = served.begin(call.call)
    const startedMs = performance.now()
    this.openCalls++
    this.#openRows += rows / width
    try {
      const results = await this.#needs.runExperts({
        model: experts[0]!.model,
        loads: call.loads.map((load, place) => ({ name: experts[place]!.name, rows: load.rows })),
        priority: 'answer',
        signal
      })
      if (signal.aborted) return
      served.answer(call, width, results)
      this.served.calls++
      this.served.rows += rows / width
      this.#needs.onServed?.(served.peerId, { rows: rows / width, elapsedMs: performance.now() - startedMs })
    } catch (error) {
      if (signal.aborted) return
      this.#needs.logger.debug({ peerId: served.peerId, code: describeError(error).code }, 'a call failed here')
      this.#refuse(served, call, reasonOf(error))
    } finally {
      this.openCalls--
      this.#openRows -= rows / width
      served.done(call.call)
    }
  }

  #refusalOf(served: ServedChannel, { call, loads }: Call): Refusal | undefined {
    const { callsMax, callsPerPeerMax, rowsMax } = holderServiceLimits
    if (served.has(call)) return 'invalid'
    const experts = loads.map(load => this.#needs.expertOf(load.tensor))
    const first = experts[0]
    if (first === undefined || !experts.every(expert => expert !== undefined)) return 'not-held'
    const isRight = loads.every(({ rows }, place) => {
      const { model, width } = experts[place]!
      return model === first.model && rows.length % width === 0
    })
    if (!isRight) return 'invalid'
    const rows = loads.reduce((sum, load) => sum + load.rows.length / first.width, 0)
    const isFull = this.openCalls >= callsMax || served.openCalls >= callsPerPeerMax
    // One large call is computed when there is nothing else.
    if (isFull || (this.openCalls > 0 && this.#openRows + rows > rowsMax)) return 'busy'
    return this.#needs.mayServe?.(served.peerId) === false ? 'busy' : undefined
  }

  #refuse(served: ServedChannel, { call }: Call, reason: Refusal): void {
    this.served.refused++
    served.send({ kind: 'refusal', call, reason })
  }
}

function reasonOf(error: unknown): Refusal {
  if (isBlyanError(error, 'ENGINE_BUSY')) return 'busy'
  return isBlyanError(error, 'PART_NOT_LOADED') || isBlyanError(error, 'MODEL_NOT_LOADED') ? 'not-held' : 'failed'
}

/** One gateway. While it has calls open it hears every 100 ms that we are there. */
class ServedChannel {
  readonly #channel: Channel
  readonly #committer: Committer
  readonly #calls = new Map<number, AbortController>()
  readonly #allOpenCalls: () => number
  #heartbeat: NodeJS.Timeout | undefined

  constructor(channel: Channel, committer: Committer, allOpenCalls: () => number) {
    this.#channel = channel
    this.#committer = committer
    this.#allOpenCalls = allOpenCalls
  }

  get peerId(): string {
    return this.#channel.peerId
  }

  get openCalls(): number {
    return this.#calls.size
  }

  has(call: number): boolean {
    return this.#calls.has(call)
  }

  begin(call: number): AbortSignal {
    const abort = new AbortController()
    this.#calls.set(call, abort)
    this.#heartbeat ??= setInterval(
      () => this.send({ kind: 'heartbeat', openCalls: this.#allOpenCalls() }),
      callLimits.heartbeatMs
    ).unref()
    return abort.signal
  }

  done(call: number): void {
    this.#calls.delete(call)
    if (this.#calls.size > 0) return
    clearInterval(this.#heartbeat)
    this.#heartbeat = undefined
  }

  cancel(call: number): void {
    this.#calls.get(call)?.abort()
  }

  answer({ call, request, layer, loads }: Call, width: number, results: readonly Float32Array[]): void {
    const answered = loads.map(({ tensor, rows }, place) => ({
      weights: tensor,
      width,
      input: rows,
      output: results[place]!
    }))
    const { bytes, signature } = this.#committer.commit({ request, layer, loads: answered })
    this.send({ kind: 'answer', call, results, commitment: bytes, signature })
  }

  /** Who does not take what we send gets no more. */
  send(frame: ExpertFrame): void {
    if (!this.#channel.send(encodeExpertFrame(frame))) this.#channel.close()
  }

  end(): void {
    clearInterval(this.#heartbeat)
    this.#heartbeat = undefined
    for (const abort of this.#calls.values()) abort.abort()
    this.#channel.close()
  }
}
