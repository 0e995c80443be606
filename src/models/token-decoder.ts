/** Text of one answer, piece by piece: keeps what is not a whole character yet. */
export interface TokenDecoder {
  /** The text that these tokens complete; may be empty. */
  push(tokens: Uint32Array): string
  /** What is left at the end. */
  end(): string
}

/** A character has at most four bytes, so more tokens than this that make none are not text. */
const heldTokensMax = 8
const replacement = '\uFFFD'

export function createByteDecoder(): TokenDecoder {
  const decoder = new TextDecoder()
  return {
    push: tokens => decoder.decode(Uint8Array.from(tokens.filter(token => token < 256)), { stream: true }),
    end: () => decoder.decode()
  }
}

/**
 * `decode` is a tokenizer's whole decoding, in which a token's text depends on those around it (spaces, characters cut
 * in two). So a window is decoded twice: with and without the new tokens; the difference is what they add.
 */
export function createWindowDecoder(decode: (tokens: readonly number[]) => string): TokenDecoder {
  return new WindowDecoder(decode)
}

class WindowDecoder implements TokenDecoder {
  readonly #decode: (tokens: readonly number[]) => string
  /** Tokens whose text is out already and gives the next ones their surroundings. */
  #shown: number[] = []
  #held: number[] = []

  constructor(decode: (tokens: readonly number[]) => string) {
    this.#decode = decode
  }

  push(tokens: Uint32Array): string {
    let text = ''
    for (const token of tokens) {
      this.#held.push(token)
      text += this.#take(this.#held.length > heldTokensMax)
    }
    return text
  }

  end(): string {
    return this.#take(true)
  }

  #take(evenIncomplete: boolean): string {
    if (this.#held.length === 0) return ''
    const before = this.#decode(this.#shown)
    const after = this.#decode([...this.#shown, ...this.#held])
    if (!evenIncomplete && (after.length <= before.length || after.endsWith(replacement))) return ''
    this.#shown = this.#held
    this.#held = []
    return after.slice(before.length)
  }
}
