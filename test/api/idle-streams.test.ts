import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { until } from '../experts/model-folder.ts'
import { type RunningApi, startApi, tokens } from './api-fixture.ts'
import { chatRequest, rawRequest } from './raw-client.ts'

const bytesMax = 1_000_000

const cases: readonly { readonly what: string; readonly streams: number; readonly request: string }[] = [
  {
    what: 'answers that wait for their next token',
    streams: 1000,
    request: chatRequest({ model: 'tiny', stream: true, messages: [{ role: 'user', content: 'hi' }] })
  },
  {
    what: 'WebSockets without a question',
    streams: 300,
    request:
      `GET /v1/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${tokens.operate}\r\nconnection: Upgrade\r\n` +
      'upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n'
  },
  {
    what: 'streams of what happens',
    streams: 300,
    request: `GET /v0/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${tokens.read}\r\n\r\n`
  }
]

async function openAll(
  t: TestContext,
  { url }: RunningApi,
  { request, streams }: (typeof cases)[number]
): Promise<Socket[]> {
  const sockets: Socket[] = []
  for (let opened = 0; opened < streams; opened += 100)
    sockets.push(
      ...(await Promise.all(Array.from({ length: 100 }, async () => (await rawRequest(t, url, request)).socket)))
    )
  return sockets
}

for (const one of cases)
  test(`${one.streams} ${one.what} take less than 1 MB each, and nothing once they are gone`, async t => {
    const { request, streams } = one
    const running = await startApi(t)
    const held = Promise.withResolvers<void>()
    running.node.answers.gate = held.promise
    const before = process.memoryUsage().rss
    const sockets = await openAll(t, running, one)
    const bytesEach = (process.memoryUsage().rss - before) / streams
    t.diagnostic(`${Math.round(bytesEach / 1000)} kB each, client and server together`)
    assert.ok(bytesEach < bytesMax, `${bytesEach} bytes each`)
    const isChat = request.startsWith('POST')
    assert.equal(running.node.answers.open(), isChat ? streams : 0)
    for (const socket of sockets) socket.destroy()
    await until(() => running.node.answers.open() === 0)
    await rawRequest(t, running.url, request)
  })
