import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { tokens } from './api-fixture.ts'

/** A question as it goes over the wire. */
export function chatRequest(body: unknown): string {
  const text = JSON.stringify(body)
  return (
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${tokens.operate}\r\n` +
    `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`
  )
}

/** Sends a request by a client that costs nearly nothing, and gives the first piece of its answer. */
export async function rawRequest(
  t: Pick<TestContext, 'after'>,
  url: string,
  request: string
): Promise<{ readonly socket: Socket; readonly head: string }> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  t.after(() => socket.destroy())
  socket.write(request)
  const [head] = (await once(socket, 'data')) as [Buffer]
  socket.resume()
  return { socket, head: head.toString() }
}
