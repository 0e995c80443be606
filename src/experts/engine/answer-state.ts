import type { KeyValueCache } from '../model/key-value-cache.ts'
import type { TokenChooser } from '../model/sampling.ts'
import type { SessionLease } from './model-sessions.ts'

export type AnswerRequest = {
  readonly requestId: string
  readonly tokens: Uint32Array
  readonly tokensMax: number
  readonly stopTokens: readonly number[]
  readonly choose: TokenChooser
  readonly signal: AbortSignal
  /** Hears of each token when it is made, and of an empty list as a sign of life. */
  readonly tell: (tokens: Uint32Array) => void
}

/** One answer on its way: what it read, what it has to read next, what it made. */
export interface Answer {
  readonly requestId: string
  readonly lease: SessionLease
  /** Rows of keys and values it may come to at most. */
  readonly rowsMax: number
  readonly outcome: Promise<number>
  readonly isOver: boolean
  /** Whether it reads what is not its newest token. */
  readonly isReading: boolean
  readonly made: number
  /** Tokens whose keys and values are not in `cache` yet; never empty while it runs. */
  readonly pending: Uint32Array
  /** Undefined while it waits for a place. */
  cache: KeyValueCache | undefined
  rowsToBegin(): number
  /** Notes that `count` tokens of `pending` are in the cache; true when logits of the last of them are wanted. */
  read(count: number): boolean
  /** Chooses a token; true when it was the last one. */
  take(logits: Float32Array): boolean
  /** Gives up its cache: all it has, made tokens included, is to be read again. */
  startAgain(): void
  showLife(): void
  settle(outcome: { readonly made: number } | { readonly error: unknown }): void
}

/** How many tokens have room at first; more room is made as it is needed. */
const roomTokens = 64

export function createAnswer(request: AnswerRequest, rowsMax: number, lease: SessionLease): Answer {
  return new RunningAnswer(request, rowsMax, lease)
}

class RunningAnswer implements Answer {
  readonly lease: SessionLease
  readonly rowsMax: number
  readonly outcome: Promise<number>
  readonly #request: AnswerRequest
  readonly #stopTokens: ReadonlySet<number>
  readonly #madeTokens: number[] = []
  readonly #resolve: (made: number) => void
  readonly #reject: (error: unknown) => void
  pending: Uint32Array
  cache: KeyValueCache | undefined
  isOver = false
  isReading = true

  constructor(request: AnswerRequest, rowsMax: number, lease: SessionLease) {
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    this.#request = request
    this.#stopTokens = new Set(request.stopTokens)
    this.#resolve = resolve
    this.#reject = reject
    this.outcome = promise
    this.lease = lease
    this.rowsMax = rowsMax
    this.pending = request.tokens
  }

  get requestId(): string {
    return this.#request.requestId
  }

  get made(): number {
    return this.#madeTokens.length
  }

  rowsToBegin(): number {
    return Math.min(this.rowsMax, this.pending.length + roomTokens)
  }

  read(count: number): boolean {
    this.pending = this.pending.subarray(count)
    return this.pending.length === 0
  }

  take(logits: Float32Array): boolean {
    const token = this.#request.choose(logits)
    this.#madeTokens.push(token)
    this.pending = Uint32Array.of(token)
    this.isReading = false
    this.#request.tell(this.pending)
    const rows = this.#request.tokens.length + this.made
    return this.made >= this.#request.tokensMax || this.#stopTokens.has(token) || rows >= this.rowsMax
  }

  startAgain(): void {
    this.cache = undefined
    this.isReading = true
    this.pending = Uint32Array.from([...this.#request.tokens, ...this.#madeTokens])
  }

  showLife(): void {
    this.#request.tell(new Uint32Array(0))
  }

  settle(outcome: { made: number } | { error: unknown }): void {
    this.isOver = true
    this.cache = undefined
    if ('error' in outcome) this.#reject(outcome.error)
    else this.#resolve(outcome.made)
  }
}
