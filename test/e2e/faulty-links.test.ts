import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { FaultyLinks } from './faulty-links.ts'

const pieces = Array.from({ length: 200 }, (_, place) => `piece ${place};`)

test('delay, jitter and loss keep every byte and the order of bytes, both ways', async t => {
  const { links, dial } = await echoBehindLinks(t)
  for (const [from, to] of [
    [0, 1],
    [1, 0]
  ] as const)
    links.change(from, to, { delayMs: 3, jitterMs: 10, lossRate: 0.1, retransmitMs: 20 })
  const socket = await dial()
  const echoed = textOf(socket)
  for (const piece of pieces) {
    socket.write(piece)
    await new Promise(resolve => setImmediate(resolve))
  }
  socket.end()
  assert.equal(await echoed, pieces.join(''))
  assert.equal(links.carriedBytes(0, 1), pieces.join('').length)
  assert.equal(links.carriedBytes(1, 0), pieces.join('').length)
})

test('a link held one way lets nothing through until it opens, and loses nothing', async t => {
  const { links, dial } = await echoBehindLinks(t)
  links.change(1, 0, { state: 'held' })
  const socket = await dial()
  const echoed = textOf(socket)
  socket.end(pieces.join(''))
  while (links.carriedBytes(0, 1) < pieces.join('').length) await new Promise(resolve => setTimeout(resolve, 5))
  await new Promise(resolve => setTimeout(resolve, 50))
  assert.equal(links.carriedBytes(1, 0), 0)
  assert.equal(socket.bytesRead, 0)
  links.change(1, 0, { state: 'open' })
  assert.equal(await echoed, pieces.join(''))
})

test('more than is buffered waits at its sender', async t => {
  const { links, dial } = await echoBehindLinks(t)
  links.change(0, 1, { state: 'held' })
  const socket = await dial()
  const echoed = lengthOf(socket)
  const sizeBytes = 24 << 20
  socket.end(Buffer.alloc(sizeBytes))
  for (let sent = -1; sent !== socket.bytesWritten - socket.writableLength; ) {
    sent = socket.bytesWritten - socket.writableLength
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  assert.equal(links.carriedBytes(0, 1), 0)
  links.change(0, 1, { state: 'open' })
  assert.equal(await echoed, sizeBytes)
})

test('a cut breaks what is open, refuses what is new, and ends when it is healed', async t => {
  const { links, dial, dialing } = await echoBehindLinks(t)
  const socket = await dial()
  socket.write('a')
  await once(socket, 'data')
  const closed = closeOf(socket)
  links.change(1, 0, { state: 'cut' })
  await closed
  const refused = dialing()
  await closeOf(refused)
  assert.equal(refused.bytesRead, 0)
  links.change(1, 0, { state: 'open' })
  const again = await dial()
  again.write('b')
  assert.equal(String(await once(again, 'data')), 'b')
})

type Rig = { readonly links: FaultyLinks; dialing(): Socket; dial(): Promise<Socket> }

async function echoBehindLinks(t: TestContext): Promise<Rig> {
  const sockets = new Set<Socket>()
  const keep = (socket: Socket): Socket => {
    sockets.add(socket)
    return socket.on('error', () => {})
  }
  const server = createServer({ allowHalfOpen: true }, socket => void keep(socket).pipe(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const links = new FaultyLinks(1)
  const target = { host: '127.0.0.1', port: (server.address() as { port: number }).port }
  const port = await links.listen(0, 1, { host: '127.0.0.1', port: 0 }, () => target)
  t.after(() => {
    links.close()
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const dialing = () => keep(connect({ host: '127.0.0.1', port, allowHalfOpen: true }))
  return {
    links,
    dialing,
    dial: async () => {
      const socket = dialing()
      await once(socket, 'connect')
      return socket
    }
  }
}

/** Also after an error, which `once` would throw. */
function closeOf(socket: Socket): Promise<void> {
  return new Promise(resolve => (socket.closed ? resolve() : socket.once('close', () => resolve())))
}

async function textOf(socket: Socket): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

async function lengthOf(socket: Socket): Promise<number> {
  let sizeBytes = 0
  for await (const chunk of socket) sizeBytes += (chunk as Buffer).length
  return sizeBytes
}
