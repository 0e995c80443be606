import { connect, type Socket } from 'node:net'

/** One kept-alive connection that sends requests made beforehand, many in flight: the client must not be the limit. */
export interface HttpLane {
  /** Sends all at once; answers come in the same order. Throws when one is not 200. */
  send(requests: readonly Buffer[]): Promise<Buffer[]>
  close(): void
}

export type LaneTarget = { readonly url: string; readonly token: string }

export function httpRequest(target: LaneTarget, method: 'GET' | 'POST', path: string, body?: object): Buffer {
  const text = body === undefined ? '' : JSON.stringify(body)
  const head = [
    `${method} ${path} HTTP/1.1`,
    `host: ${new URL(target.url).host}`,
    `authorization: Bearer ${target.token}`,
    ...(body === undefined ? [] : ['content-type: application/json', `content-length: ${Buffer.byteLength(text)}`])
  ]
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${text}`)
}

export function openLane(target: LaneTarget): HttpLane {
  const { hostname, port } = new URL(target.url)
  return new SocketLane(connect({ host: hostname, port: Number(port), noDelay: true }))
}

class SocketLane implements HttpLane {
  readonly #socket: Socket
  #received: Buffer = Buffer.alloc(0)
  #answers: Buffer[] = []
  #expected = 0
  #waiting: PromiseWithResolvers<Buffer[]> | undefined

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('error', error => this.#waiting?.reject(error))
    socket.on('close', () => this.#waiting?.reject(new Error('the node closed the connection')))
  }

  send(requests: readonly Buffer[]): Promise<Buffer[]> {
    this.#waiting = Promise.withResolvers()
    this.#expected = requests.length
    this.#socket.write(Buffer.concat(requests))
    return this.#waiting.promise
  }

  close(): void {
    this.#socket.destroy()
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
    for (let answer = this.#nextAnswer(); answer !== undefined; answer = this.#nextAnswer()) {
      if (!answer.ok) this.#waiting?.reject(new Error(answer.body.toString()))
      this.#answers.push(answer.body)
      if (this.#answers.length === this.#expected) this.#waiting?.resolve(this.#answers.splice(0))
    }
  }

  /** Every answer of the API has a length, but for its streams, which nobody asks for here. */
  #nextAnswer(): { readonly ok: boolean; readonly body: Buffer } | undefined {
    const headEnd = this.#received.indexOf('\r\n\r\n')
    if (headEnd === -1) return undefined
    const head = this.#received.toString('latin1', 0, headEnd)
    const bodyEnd = headEnd + 4 + Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0)
    if (this.#received.length < bodyEnd) return undefined
    const body = this.#received.subarray(headEnd + 4, bodyEnd)
    this.#received = this.#received.subarray(bodyEnd)
    return { ok: head.startsWith('HTTP/1.1 200 '), body }
  }
}
