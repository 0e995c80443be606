import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { until } from '../experts/model-folder.ts'
import { type RunningApi, startApi, tokens } from './api-fixture.ts'

const messages = [{ role: 'user', content: 'Say hello.' }]
type Message = Record<string, unknown> & { type: string; id: string | null }

class Client {
  readonly messages: Message[] = []
  readonly socket: WebSocket
  closed: CloseEvent | undefined

  constructor(socket: WebSocket) {
    this.socket = socket
    socket.addEventListener('message', ({ data }) => this.messages.push(JSON.parse(String(data)) as Message))
    socket.addEventListener('close', event => (this.closed = event))
  }

  send(message: unknown): void {
    this.socket.send(JSON.stringify(message))
  }

  of(id: string | null, type: string): Message[] {
    return this.messages.filter(message => message.id === id && message.type === type)
  }

  /** The first message of that kind, once it is there. */
  async next(id: string | null, type: string): Promise<Message> {
    await until(() => this.of(id, type).length > 0)
    return this.of(id, type)[0]!
  }

  text(id: string): string {
    return this.of(id, 'text')
      .map(message => message.text)
      .join('')
  }
}

async function connect(
  t: TestContext,
  { url }: RunningApi,
  protocols = ['blyan.1', `bearer.${tokens.operate}`]
): Promise<Client> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/stream`, protocols)
  t.after(() => socket.close())
  const client = new Client(socket)
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve)
    socket.addEventListener('error', () => reject(new Error('refused')))
  })
  return client
}

test('several answers run over one connection, each with plan, text and report', async t => {
  const running = await startApi(t)
  const client = await connect(t, running)
  assert.equal(client.socket.protocol, 'blyan.1', 'never the one with the token')
  for (const id of ['a', 'b']) client.send({ type: 'ask', id, model: 'tiny', messages, blyan: { mode: 'secure' } })
  for (const id of ['a', 'b']) {
    const done = await client.next(id, 'done')
    assert.equal(((await client.next(id, 'plan')).plan as { mode: string }).mode, 'secure')
    assert.equal(client.text(id), 'Hello there.')
    assert.deepEqual(
      [done.end, done.costUnits, (done.usage as { total_tokens: number }).total_tokens],
      ['stop', '12000', 22]
    )
  }
})

test('a cancelled answer ends at once, and what it took until then is told', async t => {
  const running = await startApi(t)
  running.node.answers.say(['12345'], { endless: true })
  const client = await connect(t, running)
  client.send({ type: 'ask', id: 'a', model: 'genesis', messages, max_tokens: 4000 })
  await until(() => client.text('a').length >= 10)
  client.send({ type: 'cancel', id: 'a' })
  const done = await client.next('a', 'done')
  const { completion_tokens: made } = done.usage as { completion_tokens: number }
  assert.ok(made >= 10 && made < 4000, String(made))
  assert.deepEqual([done.end, done.costUnits], ['cancelled', String(made * 1000)])
  assert.equal(running.node.answers.open(), 0)
  client.send({ type: 'cancel', id: 'a' })
  running.node.answers.say(['more'])
  client.send({ type: 'ask', id: 'a', model: 'tiny', messages })
  await until(() => client.of('a', 'done').length === 2)
})

test('a connection that closes takes its answers with it', async t => {
  const running = await startApi(t)
  running.node.answers.say(['12345'], { endless: true })
  const client = await connect(t, running)
  for (const id of ['a', 'b']) client.send({ type: 'ask', id, model: 'genesis', messages, max_tokens: 4000 })
  await until(() => running.node.answers.open() === 2)
  client.socket.close()
  await until(() => running.node.answers.open() === 0)
})

test('what makes no sense is refused with its code and the connection goes on', async t => {
  const running = await startApi(t)
  const held = Promise.withResolvers<void>()
  running.node.answers.gate = held.promise
  const client = await connect(t, running)
  const ask = (id: string, more = {}) => client.send({ type: 'ask', id, model: 'tiny', messages, ...more })
  const code = async (id: string | null, at = 0): Promise<string> => {
    await until(() => client.of(id, 'error').length > at)
    return (client.of(id, 'error')[at]!.error as { code: string }).code
  }
  client.socket.send('{"type":')
  assert.equal(await code(null), 'STREAM_MESSAGE_INVALID')
  client.socket.send(Uint8Array.of(1, 2))
  assert.equal(await code(null, 1), 'STREAM_MESSAGE_INVALID')
  client.send({ type: 'shout', id: 's' })
  assert.equal(await code('s'), 'REQUEST_INVALID')
  client.send({ type: 'ask', messages })
  assert.equal(await code(null, 2), 'REQUEST_INVALID')
  ask('n', { n: 3 })
  assert.equal(await code('n'), 'CHAT_FIELD_UNSUPPORTED')
  ask('st', { stream: true })
  assert.equal(await code('st'), 'REQUEST_INVALID')
  ask('m', { model: 'huge' })
  assert.equal(await code('m'), 'MODEL_UNKNOWN')
  for (let i = 0; i < 8; i++) ask(`k${i}`)
  ask('k0')
  assert.equal(await code('k0'), 'STREAM_ANSWER_OPEN')
  ask('k8')
  assert.equal(await code('k8'), 'STREAM_ANSWERS_FULL')
  held.resolve()
  for (let i = 0; i < 8; i++) await client.next(`k${i}`, 'done')
  assert.equal(client.closed, undefined)
})

test('a message that is too large ends the connection', async t => {
  const running = await startApi(t)
  const client = await connect(t, running)
  client.send({ type: 'ask', id: 'a', messages: [{ role: 'user', content: 'x'.repeat(5 << 20) }] })
  await until(() => client.closed !== undefined)
  assert.equal(client.closed!.code, 1009)
})

test('a connection needs a token of the right scope, and an ordinary request is told to upgrade', async t => {
  const running = await startApi(t)
  await assert.rejects(connect(t, running, ['blyan.1']), /refused/)
  await assert.rejects(connect(t, running, ['blyan.1', `bearer.${tokens.read}`]), /refused/)
  const response = await running.call('GET', '/v1/stream')
  assert.deepEqual(
    [response.status, ((await response.json()) as { error: { code: string } }).error.code],
    [426, 'WEBSOCKET_NEEDED']
  )
})

test('when the node stops, connections end and their answers with them', async t => {
  const running = await startApi(t)
  running.node.answers.say(['12345'], { endless: true })
  const client = await connect(t, running)
  client.send({ type: 'ask', id: 'a', model: 'genesis', messages, max_tokens: 4000 })
  await client.next('a', 'plan')
  await running.api.stop()
  await until(() => client.closed !== undefined && running.node.answers.open() === 0)
  assert.equal(client.closed!.code, 1001)
})

test('a client that shows no sign of life for two pings is cut off, one that does stays', async t => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const running = await startApi(t)
  const client = await connect(t, running)
  const { hostname, port } = new URL(running.url)
  const mute = connectSocket(Number(port), hostname)
  t.after(() => mute.destroy())
  mute.write(
    `GET /v1/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${tokens.operate}\r\nconnection: Upgrade\r\n` +
      'upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n'
  )
  await once(mute, 'data')
  const isClosed = once(mute, 'close')
  t.mock.timers.tick(10_000)
  const [ping] = (await once(mute, 'data')) as [Buffer]
  assert.equal(ping[0], 0x89, 'a ping')
  // What the other client answered comes before its answer to this.
  client.send({ type: 'ask', id: 'a', model: 'tiny', messages })
  await client.next('a', 'done')
  t.mock.timers.tick(10_000)
  await isClosed
  client.send({ type: 'ask', id: 'b', model: 'tiny', messages })
  await client.next('b', 'done')
})
