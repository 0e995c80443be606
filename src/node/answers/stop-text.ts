/** Ends a text where one of some words begins. What may be the beginning of such a word is held back until that is known. */
export interface StopText {
  /** The text that is safe to show; `isOver` once a stop word was found, which is not shown. */
  push(text: string): { readonly text: string; readonly isOver: boolean }
  /** What was held back. */
  end(): string
}

export function createStopText(words: readonly string[]): StopText {
  return new HeldBackText(words)
}

class HeldBackText implements StopText {
  readonly #words: readonly string[]
  #held = ''

  constructor(words: readonly string[]) {
    this.#words = words.filter(word => word !== '')
  }

  push(text: string): { text: string; isOver: boolean } {
    const whole = this.#held + text
    let end = -1
    for (const word of this.#words) {
      const at = whole.indexOf(word)
      if (at !== -1 && (end === -1 || at < end)) end = at
    }
    if (end !== -1) {
      this.#held = ''
      return { text: whole.slice(0, end), isOver: true }
    }
    const heldFrom = whole.length - Math.max(0, ...this.#words.map(word => begunLength(whole, word)))
    this.#held = whole.slice(heldFrom)
    return { text: whole.slice(0, heldFrom), isOver: false }
  }

  end(): string {
    const held = this.#held
    this.#held = ''
    return held
  }
}

/** Length of the longest end of `text` with which `word` begins. */
function begunLength(text: string, word: string): number {
  for (let length = Math.min(word.length - 1, text.length); length > 0; length--)
    if (text.endsWith(word.slice(0, length))) return length
  return 0
}
