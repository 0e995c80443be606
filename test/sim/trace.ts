/** What happened: counted by kind, folded into a digest, and kept as lines for people when asked for. */
export class Trace {
  readonly injections = new Map<string, number>()
  readonly happenings = new Map<string, number>()
  readonly #kinds = new Map<string, number>()
  readonly #nowMs: () => number
  readonly #print: ((line: string) => void) | undefined
  #hash = 0
  #secondHash = 0

  constructor(nowMs: () => number, print: ((line: string) => void) | undefined) {
    this.#nowMs = nowMs
    this.#print = print
  }

  /** Something that was done to the network; it appears in the table of what was injected. */
  injected(kind: string, node: number, detail = 0, text?: () => string): void {
    this.injections.set(kind, (this.injections.get(kind) ?? 0) + 1)
    this.#note(kind, node, detail, text)
  }

  /** Something that the network did. `text` is only made when somebody reads it. */
  happened(kind: string, node: number, detail = 0, text?: () => string): void {
    this.happenings.set(kind, (this.happenings.get(kind) ?? 0) + 1)
    this.#note(kind, node, detail, text)
  }

  get digest(): string {
    return [this.#hash, this.#secondHash].map(part => (part >>> 0).toString(16).padStart(8, '0')).join('')
  }

  #note(kind: string, node: number, detail: number, text: (() => string) | undefined): void {
    let number = this.#kinds.get(kind)
    if (number === undefined) {
      number = this.#kinds.size + 1
      this.#kinds.set(kind, number)
    }
    const nowMs = this.#nowMs()
    this.#hash = (Math.imul(this.#hash, 31) + number + node * 131 + detail * 17 + Math.floor(nowMs * 1000)) | 0
    this.#secondHash = (Math.imul(this.#secondHash ^ this.#hash, 0x01000193) + number) | 0
    if (this.#print === undefined) return
    this.#print(
      `${nowMs.toFixed(3).padStart(10)}  ${`node ${node}`.padEnd(8)}  ${kind.padEnd(22)}  ${text?.() ?? detail}`
    )
  }
}
