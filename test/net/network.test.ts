import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import type { Libp2p } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { importSigningKey } from '../../src/codec/index.ts'
import { isBlyanError } from '../../src/errors/index.ts'
import { writeFrame } from '../../src/net/framing.ts'
import { privateKeyOfSecret } from '../../src/net/identity.ts'
import { createNetwork, type Network, peerIdOfPublicKey, protocolIds } from '../../src/net/index.ts'

const silentFor = 5000
let hosts = 0

type Line = { readonly fields: { theirGenesis?: string; ourGenesis?: string }; readonly text: string }

async function open(
  t: TestContext,
  input: {
    genesis?: string
    peers?: string[]
    listen?: string[]
    peersMax?: number
    serve?: (network: Network) => void
  } = {}
) {
  const lines: Line[] = []
  const log = (fields: object, text: string) => void lines.push({ fields, text })
  const network = createNetwork({
    secret: createHash('sha256').update(`host ${process.pid} ${hosts++}`).digest(),
    listen: input.listen ?? ['/ip4/127.0.0.1/tcp/0'],
    announce: [],
    peers: input.peers ?? [],
    peersMax: input.peersMax ?? 16,
    genesis: input.genesis ?? 'genesisa',
    version: '0.0.0',
    roles: [],
    logger: { debug: log, info: log, warn: log }
  })
  input.serve?.(network)
  t.after(() => network.stop())
  await network.start()
  return { network, lines, address: () => network.addresses()[0]! }
}

async function until(what: () => boolean): Promise<void> {
  const start = performance.now()
  while (!what()) {
    if (performance.now() - start > silentFor) assert.fail(`waited in vain for ${what.toString()}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

const isRequestFailed = (error: unknown) => isBlyanError(error, 'PEER_REQUEST_FAILED')

test('two nodes of one genesis admit each other and answer requests', async t => {
  const a = await open(t, {
    serve: one => one.serve(protocolIds.vertices, async (_, request) => Uint8Array.of(...request, 9))
  })
  const b = await open(t, { peers: [a.address()] })
  await until(() => a.network.peers().length === 1 && b.network.peers().length === 1)
  assert.deepEqual(a.network.agreement(), { asked: 1, agree: 1, alarm: false })
  const answer = await b.network.request(a.network.peerId, protocolIds.vertices, Uint8Array.of(1), 2000)
  assert.deepEqual([...answer], [1, 9])
})

test('an address that was learnt is dialled, and a peer is asked how quick it answers', async t => {
  const a = await open(t)
  const b = await open(t)
  await assert.rejects(b.network.ping(a.network.peerId, silentFor), isRequestFailed)
  b.network.learn(a.address())
  assert.deepEqual(b.network.knownAddresses(), [a.address()])
  await until(() => b.network.peers().length === 1)
  const elapsedMs = await b.network.ping(a.network.peerId, silentFor)
  assert.ok(elapsedMs > 0 && elapsedMs < silentFor)
  await a.network.stop()
  await until(() => b.network.peers().length === 0)
  await assert.rejects(b.network.ping(a.network.peerId, silentFor), isRequestFailed)
})

test('a node of another genesis is refused on both sides, with the reason, and raises the alarm', async t => {
  const a = await open(t)
  const b = await open(t, { genesis: 'genesisb', peers: [a.address()] })
  const reasonOf = ({ lines }: typeof a) => lines.find(({ text }) => text.includes('another genesis'))
  await until(() => reasonOf(a) !== undefined && reasonOf(b) !== undefined)
  assert.deepEqual([reasonOf(a)!.fields.theirGenesis, reasonOf(a)!.fields.ourGenesis], ['genesisb', 'genesisa'])
  assert.deepEqual([a.network.peers(), b.network.peers()], [[], []])
  for (const { network, lines } of [a, b]) {
    assert.deepEqual(network.agreement(), { asked: 1, agree: 0, alarm: true })
    assert.ok(lines.some(({ text }) => text.includes('Genesis Pact alarm')))
  }
  await assert.rejects(
    b.network.request(a.network.peerId, protocolIds.vertices, Uint8Array.of(1), 500),
    isRequestFailed
  )
})

test('a request that nobody answers in time ends by name', async t => {
  const a = await open(t, { serve: one => one.serve(protocolIds.vertices, () => new Promise<Uint8Array>(() => {})) })
  const b = await open(t, { peers: [a.address()] })
  await until(() => b.network.peers().length === 1)
  const start = performance.now()
  await assert.rejects(
    b.network.request(a.network.peerId, protocolIds.vertices, Uint8Array.of(1), 300),
    isRequestFailed
  )
  assert.ok(performance.now() - start < 2500)
  await assert.rejects(b.network.request(a.network.peerId, protocolIds.commits, Uint8Array.of(1), 300), isRequestFailed)
  await assert.rejects(
    b.network.request('12D3KooWnobody', protocolIds.vertices, Uint8Array.of(1), 300),
    isRequestFailed
  )
})

test('garbage on any protocol stays with its sender: it costs points until the sender is cut off', async t => {
  const thrown: unknown[] = []
  const note = (error: unknown) => thrown.push(error)
  process.on('unhandledRejection', note)
  t.after(() => void process.off('unhandledRejection', note))
  const a = await open(t, {
    serve: one => one.serve(protocolIds.vertices, async () => Promise.reject(new Error('handler')))
  })
  const b = await open(t, { peers: [a.address()] })
  const c = await open(t, { peers: [a.address()] })
  await until(() => a.network.peers().length === 2 && b.network.peers().length === 1)
  const oversize = new Uint8Array(8).fill(255)
  const send = async (from: Libp2p, protocol: string, bytes: Uint8Array) => {
    const connection = from.getConnections()[0]
    const stream = await connection?.newStream(protocol)
    stream?.send(bytes)
    await stream?.close().catch(() => {})
  }
  await send(b.network.libp2p, protocolIds.vertices, Uint8Array.of(0, 0, 0, 1, 5)).catch(() => {})
  await send(b.network.libp2p, protocolIds.vertices, Uint8Array.of(1)).catch(() => {})
  await send(b.network.libp2p, protocolIds.feed, Uint8Array.of(0, 0)).catch(() => {})
  const pointsOfB = () => a.network.peers().find(({ peerId }) => peerId === b.network.peerId)?.penaltyPoints
  for (let i = 0; i < 30 && pointsOfB() !== undefined; i++) {
    await send(b.network.libp2p, [protocolIds.hello, protocolIds.feed, protocolIds.vertices][i % 3]!, oversize).catch(
      () => {}
    )
    await new Promise(resolve => setTimeout(resolve, 30))
  }
  await until(() => pointsOfB() === undefined)
  assert.ok(a.lines.some(({ text }) => text.includes('cut off')))
  assert.deepEqual(
    a.network.peers().map(({ peerId }) => peerId),
    [c.network.peerId]
  )
  assert.deepEqual(thrown, [])
})

test('frames of a feed arrive in order, and from admitted peers only', async t => {
  const got: number[] = []
  const a = await open(t)
  a.network.onFeed((_, frame) => void got.push(frame[0]!))
  const b = await open(t, { peers: [a.address()] })
  await until(() => b.network.peers().length === 1 && a.network.peers().length === 1)
  const feed = b.network.feed(a.network.peerId, () => {})
  for (let i = 0; i < 50; i++) feed.push(Uint8Array.of(i))
  await until(() => got.length === 50)
  assert.deepEqual(
    got,
    Array.from({ length: 50 }, (_, i) => i)
  )
  const stranger = await open(t, { genesis: 'genesisb', peers: [a.address()] })
  await stranger.network.libp2p
    .dial(a.network.libp2p.getMultiaddrs())
    .then(async connection => {
      await writeFrame(await connection.newStream(protocolIds.feed), Uint8Array.of(99))
    })
    .catch(() => {})
  await new Promise(resolve => setTimeout(resolve, 300))
  assert.equal(got.includes(99), false)
})

test('who has no room for us is not read from; nothing is lost, and others are not held up', async t => {
  const got = new Map<string, number[]>()
  const waiting: (() => void)[] = []
  const a = await open(t)
  const b = await open(t, { peers: [a.address()] })
  const c = await open(t, { peers: [a.address()] })
  a.network.onFeed((peerId, frame) => {
    got.set(peerId, [...(got.get(peerId) ?? []), frame[0]!])
    if (peerId !== b.network.peerId || got.get(peerId)!.length > 3) return undefined
    return new Promise<void>(resolve => waiting.push(resolve))
  })
  await until(() => a.network.peers().length === 2 && b.network.peers().length === 1 && c.network.peers().length === 1)
  const large = 300_000
  for (const one of [b, c]) {
    const feed = one.network.feed(a.network.peerId, () => {})
    for (let place = 0; place < 30; place++) feed.push(new Uint8Array(large).fill(place))
  }
  const expected = Array.from({ length: 30 }, (_, place) => place)
  await until(() => got.get(c.network.peerId)?.length === 30 && waiting.length === 1)
  assert.deepEqual(got.get(b.network.peerId), [0])
  for (let count = 1; count <= 3; count++) {
    await until(() => waiting.length === count)
    waiting[count - 1]!()
  }
  await until(() => got.get(b.network.peerId)!.length === 30)
  assert.deepEqual([...got.values()], [expected, expected])
})

test('a full node has room for those it cannot do without, and for nobody else', async t => {
  const a = await open(t, { peersMax: 1 })
  const first = await open(t, { peers: [a.address()] })
  await until(() => a.network.peers().length === 1 && first.network.peers().length === 1)
  const second = await open(t)
  a.network.keepRoomFor([second.network.peerId])
  second.network.addPeer(a.address())
  const third = await open(t, { peers: [a.address()] })
  await until(() => a.network.peers().length === 2)
  await until(() => third.lines.some(({ text }) => text === 'the peer refused us'))
  assert.deepEqual(
    a.network.peers().map(({ peerId }) => peerId),
    [first.network.peerId, second.network.peerId]
  )
})

test('a port that is taken is named', async t => {
  const a = await open(t)
  const port = /tcp\/\d+/.exec(a.address())![0]
  await assert.rejects(
    open(t, { listen: [`/ip4/127.0.0.1/${port}`] }),
    error => isBlyanError(error, 'LISTEN_ADDRESS_TAKEN') && error.message.includes(port)
  )
})

test('a peer id is that of its node key', async () => {
  const key = importSigningKey('ed25519', new Uint8Array(32).fill(1))
  const host = await privateKeyOfSecret(key.exportSecret())
  assert.equal(peerIdOfPublicKey(key.publicKey), peerIdFromPrivateKey(host).toString())
})
