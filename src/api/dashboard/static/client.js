import { EventParser } from './event-parser.js'

/** What a node answered instead of what was asked for. */
export class NodeError extends Error {
  /** @param {number} status @param {{ code?: string, message?: string, nextStep?: string, type?: string }} [error] */
  constructor(status, { code, message, nextStep, type } = {}) {
    super(message ?? `the node answered ${status}`)
    this.status = status
    this.code = code ?? type ?? ''
    this.nextStep = nextStep ?? ''
  }
}

/** Asks this node, with the token, and nobody else. */
export class NodeClient {
  #token
  #onRefused

  /** `onRefused` is called when the node does not take the token (any more). */
  constructor(token, onRefused) {
    this.#token = token
    this.#onRefused = onRefused
  }

  async json(path, signal) {
    return (await this.#ask(path, { signal })).json()
  }

  /** One item a line, handed on as they come. Stops early when `onItem` gives false. */
  async lines(path, onItem, signal) {
    const response = await this.#ask(path, { signal })
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    let rest = ''
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      const lines = (rest + piece.value).split('\n')
      rest = lines.pop()
      for (const line of lines) {
        const item = JSON.parse(line)
        if (item.error !== undefined) throw new NodeError(response.status, item.error)
        if (onItem(item) === false) return reader.cancel()
      }
    }
  }

  /** Server-sent events until the node ends them or `signal` does. A body makes it a POST. */
  async events(path, { body, signal, onMessage }) {
    const response = await this.#ask(path, { body, signal })
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    const parser = new EventParser()
    for (let piece = await reader.read(); !piece.done; piece = await reader.read())
      for (const message of parser.push(piece.value)) onMessage(message)
  }

  /** @param {string} path @param {{ body?: object, signal?: AbortSignal }} [options] */
  async #ask(path, { body, signal } = {}) {
    /** @type {Record<string, string>} */
    const headers = { authorization: `Bearer ${this.#token}` }
    if (body !== undefined) headers['content-type'] = 'application/json'
    const response = await fetch(path, {
      method: body === undefined ? 'GET' : 'POST',
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
      cache: 'no-store',
      credentials: 'omit'
    })
    if (response.ok) return response
    const { error } = await response.json().catch(() => ({}))
    const failure = new NodeError(response.status, error)
    if (response.status === 401) this.#onRefused(failure)
    throw failure
  }
}
