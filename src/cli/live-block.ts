import { stripVTControlCharacters } from 'node:util'

/** A few lines at the end of a terminal that are written over again and again; nothing where there is no terminal. */
export interface LiveBlock {
  readonly isShown: boolean
  show(text: string): void
  /** Takes it away, before anything else is printed. */
  clear(): void
}

export type BlockStream = Pick<NodeJS.WriteStream, 'isTTY' | 'columns' | 'rows' | 'write'>

export function createLiveBlock(stream: BlockStream): LiveBlock {
  return new TerminalBlock(stream)
}

class TerminalBlock implements LiveBlock {
  readonly #stream: BlockStream
  #lines = 0

  constructor(stream: BlockStream) {
    this.#stream = stream
  }

  get isShown(): boolean {
    return this.#lines > 0
  }

  show(text: string): void {
    if (!this.#stream.isTTY) return
    const columns = Math.max(20, (this.#stream.columns || 80) - 1)
    // What is taller than the terminal could not be written over: its upper lines have scrolled away.
    const lines = text.split('\n').slice(0, Math.max(1, (this.#stream.rows || 24) - 1))
    this.#stream.write(`${this.#back()}${lines.map(line => cut(line, columns)).join('\n')}\n`)
    this.#lines = lines.length
  }

  clear(): void {
    if (this.#lines > 0) this.#stream.write(this.#back())
    this.#lines = 0
  }

  #back(): string {
    return this.#lines === 0 ? '' : `\u001b[${this.#lines}A\u001b[J`
  }
}

/** A line that wraps would take two. Colours are given up where they would be cut. */
function cut(line: string, columns: number): string {
  const plain = stripVTControlCharacters(line)
  return plain.length <= columns ? line : `${plain.slice(0, columns - 1)}…`
}
