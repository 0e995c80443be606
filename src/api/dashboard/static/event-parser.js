/** Server-sent events out of the pieces they arrive in. Pure; knows `event`, `data` and comments, which is all a node sends. */
const messageCharactersMax = 16 << 20

export class EventParser {
  #rest = ''

  /** The messages that this piece completes. Throws when one never ends. */
  push(text) {
    this.#rest += text
    if (this.#rest.length > messageCharactersMax) throw new Error('the node sent a message without end')
    const messages = []
    for (;;) {
      const end = /\r?\n\r?\n/.exec(this.#rest)
      if (end === null) return messages
      const message = messageOf(this.#rest.slice(0, end.index))
      this.#rest = this.#rest.slice(end.index + end[0].length)
      if (message !== undefined) messages.push(message)
    }
  }
}

function messageOf(block) {
  let event = 'message'
  const data = []
  for (const line of block.split(/\r?\n/)) {
    const [, name, value] = /^(event|data): ?(.*)$/s.exec(line) ?? []
    if (name === 'event') event = value
    else if (name === 'data') data.push(value)
  }
  return data.length === 0 ? undefined : { event, data: data.join('\n') }
}
