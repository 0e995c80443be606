import { connect, createServer, type Server, type Socket } from 'node:net'

/** What happens to the bytes that one node sends to another. */
export type LinkCondition = {
  /** One way. */
  readonly delayMs: number
  /** Up to this much more, drawn for each piece; the order is kept. */
  readonly jitterMs: number
  /** Share of the segments that get lost. TCP hides a loss and shows it as a delay of everything behind it. */
  readonly lossRate: number
  /** How long a lost segment holds up what comes behind it. */
  readonly retransmitMs: number
  /** `held`: nothing arrives until the link is open again. `cut`: connections break, and none can be made. */
  readonly state: 'open' | 'held' | 'cut'
}

export type Endpoint = { readonly host: string; readonly port: number }

export const goodLink: LinkCondition = { delayMs: 0, jitterMs: 0, lossRate: 0, retransmitMs: 200, state: 'open' }

const segmentBytes = 1460
const bufferedBytesMax = 4 << 20
/** Timers are exact to a millisecond: due within half of one is due. */
const timerSlackMs = 0.5

/** A proxy between nodes: each ordered pair is a link with a condition of its own. */
export class FaultyLinks {
  readonly #servers: Server[] = []
  readonly #links = new Map<string, Link>()
  readonly #random: () => number

  constructor(seed: number) {
    this.#random = randomNumbers(seed)
  }

  /** Listens for what `from` sends to `to`, and passes it on to where `to` really listens. */
  async listen(from: number, to: number, at: Endpoint, target: () => Endpoint): Promise<number> {
    const there = this.#link(from, to)
    const back = this.#link(to, from)
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, accepted => {
      accepted.on('error', () => {})
      if (there.condition.state === 'cut' || back.condition.state === 'cut') return void accepted.resetAndDestroy()
      const onward = connect({ ...target(), allowHalfOpen: true, noDelay: true })
      onward.on('error', () => accepted.resetAndDestroy())
      onward.once('connect', () => {
        join(accepted, onward, there, this.#random)
        join(onward, accepted, back, this.#random)
        accepted.resume()
      })
    })
    this.#servers.push(server)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(at.port, at.host, resolve)
    })
    return (server.address() as { port: number }).port
  }

  change(from: number, to: number, change: Partial<LinkCondition>): void {
    this.#link(from, to).change(change)
  }

  /** Bytes that have arrived over a link. */
  carriedBytes(from: number, to: number): number {
    return this.#link(from, to).carriedBytes
  }

  close(): void {
    for (const server of this.#servers) server.close()
    for (const link of this.#links.values()) link.change({ state: 'cut' })
  }

  #link(from: number, to: number): Link {
    const name = `${from}>${to}`
    let link = this.#links.get(name)
    if (link === undefined) {
      link = new Link()
      this.#links.set(name, link)
    }
    return link
  }
}

class Link {
  readonly pipes = new Set<Pipe>()
  condition = goodLink
  carriedBytes = 0

  change(change: Partial<LinkCondition>): void {
    this.condition = { ...this.condition, ...change }
    for (const pipe of [...this.pipes]) {
      if (this.condition.state === 'cut') pipe.break()
      else pipe.pass()
    }
  }
}

function join(source: Socket, target: Socket, link: Link, random: () => number): void {
  const pipe = new Pipe(source, target, link, random)
  link.pipes.add(pipe)
  source.on('data', bytes => pipe.take(bytes as Buffer))
  // Both ends of a connection are told as late as the bytes before them.
  source.once('end', () => pipe.take('end'))
  source.on('error', () => {})
  source.once('close', () => {
    if (!source.readableEnded) pipe.take('reset')
  })
  target.on('drain', () => pipe.pass())
  target.once('close', () => {
    link.pipes.delete(pipe)
    pipe.stop()
  })
}

type Piece = Buffer | 'end' | 'reset'

/** One direction of one connection. */
class Pipe {
  readonly #source: Socket
  readonly #target: Socket
  readonly #link: Link
  readonly #random: () => number
  readonly #queue: { readonly dueAtMs: number; readonly piece: Piece }[] = []
  #queuedBytes = 0
  #lastDueAtMs = 0
  #timer: NodeJS.Timeout | undefined
  #isOver = false

  constructor(source: Socket, target: Socket, link: Link, random: () => number) {
    this.#source = source
    this.#target = target
    this.#link = link
    this.#random = random
  }

  take(piece: Piece): void {
    if (this.#isOver) return
    const { delayMs, jitterMs } = this.#link.condition
    const sizeBytes = piece instanceof Buffer ? piece.length : 0
    const arrivesAtMs = performance.now() + delayMs + jitterMs * this.#random()
    this.#lastDueAtMs = Math.max(this.#lastDueAtMs, arrivesAtMs + this.#stallMs(sizeBytes))
    this.#queue.push({ dueAtMs: this.#lastDueAtMs, piece })
    this.#queuedBytes += sizeBytes
    if (this.#queuedBytes > bufferedBytesMax) this.#source.pause()
    this.pass()
  }

  /** Hands on what is due. */
  pass(): void {
    clearTimeout(this.#timer)
    if (this.#isOver || this.#link.condition.state !== 'open') return
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      const waitMs = next.dueAtMs - performance.now()
      if (waitMs > timerSlackMs) {
        this.#timer = setTimeout(() => this.pass(), Math.max(1, Math.floor(waitMs)))
        return
      }
      if (this.#target.writableNeedDrain) return
      this.#queue.shift()
      this.#deliver(next.piece)
    }
  }

  /** Nobody is there any more to hand anything to. */
  stop(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#queue.length = 0
  }

  break(): void {
    this.stop()
    for (const socket of [this.#source, this.#target]) if (!socket.destroyed) socket.resetAndDestroy()
  }

  #deliver(piece: Piece): void {
    if (piece === 'end') this.#target.end()
    else if (piece === 'reset') this.break()
    else {
      this.#queuedBytes -= piece.length
      this.#link.carriedBytes += piece.length
      this.#target.write(piece)
      if (this.#queuedBytes < bufferedBytesMax / 2 && this.#source.isPaused()) this.#source.resume()
    }
  }

  #stallMs(sizeBytes: number): number {
    const { lossRate, retransmitMs } = this.#link.condition
    if (lossRate === 0 || sizeBytes === 0) return 0
    const arrives = (1 - lossRate) ** Math.ceil(sizeBytes / segmentBytes)
    return this.#random() < arrives ? 0 : retransmitMs
  }
}

/** Mulberry32: small, and the same everywhere for one seed. */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
