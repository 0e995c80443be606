import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { BlyanError, isBlyanError } from '../../src/errors/index.ts'
import { writeFrame } from '../../src/net/framing.ts'
import {
  type Channel,
  type ChannelHandlers,
  createNetwork,
  type Network,
  networkLimits,
  protocolIds
} from '../../src/net/index.ts'

const protocol = protocolIds.experts
let hosts = 0

async function open(t: TestContext, input: { peers?: string[]; genesis?: string; serve?: (n: Network) => void } = {}) {
  const network = createNetwork({
    secret: createHash('sha256').update(`channel ${process.pid} ${hosts++}`).digest(),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    announce: [],
    peers: input.peers ?? [],
    peersMax: 16,
    genesis: input.genesis ?? 'genesisa',
    version: '0.0.0',
    roles: [],
    logger: { debug: () => {}, info: () => {}, warn: () => {} }
  })
  input.serve?.(network)
  t.after(() => network.stop())
  await network.start()
  return { network, address: network.addresses()[0]! }
}

async function until(what: () => boolean): Promise<void> {
  for (const start = performance.now(); !what(); await new Promise(resolve => setTimeout(resolve, 10)))
    if (performance.now() - start > 5000) assert.fail(`waited in vain for ${what.toString()}`)
}

/** Two nodes that know each other; the first serves the protocol with `handlersOf`. */
async function pair(t: TestContext, handlersOf: (channel: Channel) => ChannelHandlers) {
  const a = await open(t, { serve: network => network.serveChannel(protocol, handlersOf) })
  const b = await open(t, { peers: [a.address] })
  await until(() => a.network.peers().length === 1 && b.network.peers().length === 1)
  return { a: a.network, b: b.network, address: a.address }
}

const quiet: ChannelHandlers = { onFrame: () => {}, onClose: () => {} }

test('frames go both ways over one channel, in order, small and large', async t => {
  const { a, b } = await pair(t, channel => ({ onFrame: frame => void channel.send(frame), onClose: () => {} }))
  const got: Uint8Array[] = []
  const channel = await b.openChannel(a.peerId, protocol, { ...quiet, onFrame: frame => void got.push(frame) })
  const sizes = [0, 1, 100, 70_000, 3_000_000, 5, 400_000]
  const sent = sizes.map((size, place) => new Uint8Array(size).fill(place))
  for (const frame of sent) assert.equal(channel.send(frame), true)
  await until(() => got.length === sizes.length)
  assert.ok(sent.every((frame, place) => Buffer.compare(frame, got[place]!) === 0))
})

test('either side may close; the other is told, what was queued before still arrives, and nothing can be sent after', async t => {
  let served: Channel | undefined
  const ends: string[] = []
  const got: number[] = []
  const { a, b } = await pair(t, channel => {
    served = channel
    return { onFrame: frame => void got.push(frame[0]!), onClose: () => void ends.push('a') }
  })
  const first = await b.openChannel(a.peerId, protocol, { ...quiet, onClose: () => void ends.push('b') })
  for (let place = 0; place < 20; place++) first.send(new Uint8Array(50_000).fill(place))
  first.close()
  assert.equal(first.send(Uint8Array.of(1)), false)
  await until(() => ends.length === 2)
  assert.deepEqual(
    got,
    Array.from({ length: 20 }, (_, place) => place)
  )
  const second = await b.openChannel(a.peerId, protocol, { ...quiet, onClose: () => void ends.push('b') })
  second.send(Uint8Array.of(9))
  await until(() => got.includes(9))
  served!.close()
  await until(() => ends.length === 4)
  assert.deepEqual([second.isOpen, served!.isOpen], [false, false])
})

test('a peer that goes away ends its channels, and opening one to nobody fails by name', async t => {
  let isClosed = false
  const { a, b } = await pair(t, () => quiet)
  const channel = await b.openChannel(a.peerId, protocol, { ...quiet, onClose: () => (isClosed = true) })
  assert.equal(channel.isOpen, true)
  await a.stop()
  await until(() => isClosed && b.peers().length === 0)
  assert.equal(channel.isOpen, false)
  await assert.rejects(b.openChannel(a.peerId, protocol, quiet), error => isBlyanError(error, 'PEER_REQUEST_FAILED'))
})

test('who does not take what is sent stops the sender at a bound; nothing is lost once it does', async t => {
  let release = (): void => {}
  const held = new Promise<void>(resolve => (release = resolve))
  let receivedBytes = 0
  const { a, b } = await pair(t, () => ({
    onFrame: frame => {
      receivedBytes += frame.length
      return receivedBytes === frame.length ? held : undefined
    },
    onClose: () => {}
  }))
  const channel = await b.openChannel(a.peerId, protocol, quiet)
  const frame = new Uint8Array(4 * 1024 * 1024)
  let sentBytes = 0
  for (let tries = 0; tries < 40; tries++) {
    if (channel.send(frame)) sentBytes += frame.length
    await new Promise(resolve => setImmediate(resolve))
  }
  const onTheWayMax = 4 * networkLimits.streamWindowBytesMax
  assert.ok(sentBytes < networkLimits.channelQueueBytesMax + onTheWayMax, `${sentBytes}`)
  assert.equal(receivedBytes, frame.length)
  release()
  await until(() => receivedBytes === sentBytes)
  assert.equal(channel.send(new Uint8Array(networkLimits.channelFrameBytesMax + 1)), false)
})

test('an oversize frame, and one its reader refuses, end the channel and cost the sender; a stranger gets none', async t => {
  let opened = 0
  const { a, b, address } = await pair(t, () => {
    opened++
    return {
      onFrame: frame => {
        if (frame[0] === 66) throw new BlyanError('ENCODING_INVALID', { reason: 'test' })
      },
      onClose: () => {}
    }
  })
  const pointsOfB = (): number => a.peers()[0]?.penaltyPoints ?? -1
  let isClosed = false
  const channel = await b.openChannel(a.peerId, protocol, { ...quiet, onClose: () => (isClosed = true) })
  channel.send(Uint8Array.of(66))
  await until(() => isClosed && pointsOfB() > 4)
  const stream = await b.libp2p.getConnections()[0]!.newStream(protocol)
  stream.send(new Uint8Array(8).fill(255))
  await until(() => pointsOfB() > 29)
  assert.equal(opened, 2)
  const stranger = await open(t, { genesis: 'genesisb', peers: [address] })
  await stranger.network.libp2p
    .dial(a.libp2p.getMultiaddrs())
    .then(async connection => writeFrame(await connection.newStream(protocol), Uint8Array.of(1)))
    .catch(() => {})
  await new Promise(resolve => setTimeout(resolve, 300))
  assert.equal(opened, 2)
})
