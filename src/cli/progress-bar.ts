import { sizeText } from './output.ts'

/** One line of a terminal that is written over; nothing where stderr is no terminal. */
export interface ProgressBar {
  show(state: BarState): void
  /** Takes the line away, before anything else is printed. */
  clear(): void
}

/** `done` and `total` are bytes unless they are said to be a count. */
export type BarState = {
  readonly label: string
  readonly done: number
  readonly total: number
  readonly unit?: 'count'
}

export type BarStream = Pick<NodeJS.WriteStream, 'isTTY' | 'columns' | 'write'>

const cells = 24
const smoothing = 0.2
/** More often no eye can follow. */
const everyMs = 80

export function createProgressBar(stream: BarStream, nowMs: () => number = () => performance.now()): ProgressBar {
  return new TerminalBar(stream, nowMs)
}

class TerminalBar implements ProgressBar {
  readonly #stream: BarStream
  readonly #nowMs: () => number
  #shownAtMs = Number.NEGATIVE_INFINITY
  #isShown = false
  #last: { readonly atMs: number; readonly done: number } | undefined
  #perSecond: number | undefined

  constructor(stream: BarStream, nowMs: () => number) {
    this.#stream = stream
    this.#nowMs = nowMs
  }

  show({ label, done, total, unit }: BarState): void {
    if (!this.#stream.isTTY) return
    const atMs = this.#nowMs()
    const isEnd = done >= total
    if (!isEnd && atMs - this.#shownAtMs < everyMs) return
    this.#measure(atMs, done)
    this.#shownAtMs = atMs
    const share = total === 0 ? 1 : Math.min(done / total, 1)
    const filled = Math.round(share * cells)
    const amount = (value: number): string => (unit === 'count' ? String(Math.round(value)) : sizeText(value))
    const rest = this.#restText(total - done, amount)
    const line = `${label}  [${'='.repeat(filled)}${' '.repeat(cells - filled)}] ${Math.floor(share * 100)}%${rest}  ${amount(done)}`
    this.#stream.write(`\r\u001b[K${line.slice(0, Math.max(20, (this.#stream.columns || 80) - 1))}`)
    this.#isShown = true
  }

  clear(): void {
    if (this.#isShown) this.#stream.write('\r\u001b[K')
    this.#isShown = false
  }

  /** Starts anew where a new stage begins. */
  #measure(atMs: number, done: number): void {
    if (this.#last === undefined || done < this.#last.done) {
      this.#perSecond = undefined
    } else if (atMs > this.#last.atMs) {
      const now = ((done - this.#last.done) * 1000) / (atMs - this.#last.atMs)
      this.#perSecond = this.#perSecond === undefined ? now : this.#perSecond + smoothing * (now - this.#perSecond)
    }
    this.#last = { atMs, done }
  }

  #restText(left: number, amount: (value: number) => string): string {
    const perSecond = this.#perSecond
    if (perSecond === undefined || perSecond <= 0) return ''
    const seconds = Math.ceil(left / perSecond)
    const time = seconds < 60 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`
    return `  ${left <= 0 ? 'done' : `${time} left`}  ${amount(perSecond)}/s`
  }
}
