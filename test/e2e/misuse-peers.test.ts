import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { encodeCanonical, sha256 } from '../../src/codec/index.ts'
import { encodeBody, encodeHeader } from '../../src/consensus/core/vertex.ts'
import { encodeProgress } from '../../src/consensus/wire.ts'
import { parseGenesis } from '../../src/dag/index.ts'
import { protocolIds } from '../../src/net/protocols.ts'
import { framed, type HostilePeer, hostilePeer, randomBytes } from './hostile-peer.ts'
import { type ProcessNetwork, processNetwork, until } from './network-of-processes.ts'

const mebibyte = 1 << 20
const ownProtocols = Object.values(protocolIds)
const bitswap = '/ipfs/bitswap/1.2.0'

test('whoever connects can neither stop a node, nor fill its memory, nor stay without a hello', {
  timeout: 120_000
}, async t => {
  const network = await processNetwork(t, 1)
  await network.start(0)
  await network.note(0, 'before')
  const { addresses, genesis } = await network.status(0)
  const address = addresses[0]!
  const before = memoryAndPid(network)
  const admitted = async (): Promise<HostilePeer> => {
    const peer = await hostilePeer(t, address)
    await peer.hello(genesis)
    return peer
  }

  const silent = await hostilePeer(t, address)
  const silentSinceMs = performance.now()
  const silentDone = Promise.all([...ownProtocols, bitswap].map(protocol => silent.pour(protocol, garbageFrames(4))))

  await t.test('garbage, oversize, truncated, empty and slow frames at every protocol', async () => {
    for (const protocol of [...ownProtocols, bitswap, '/meshsub/1.2.0', '/ipfs/id/1.0.0', '/ipfs/ping/1.0.0']) {
      const peer = await admitted()
      await peer.pour(protocol, [framed(randomBytes(200))])
      await peer.pour(protocol, [framed(randomBytes(10), 0xffffffff)])
      await peer.pour(protocol, [framed(new Uint8Array(0))])
      await peer.pour(protocol, [framed(encodeCanonical([[[[]]], 'x']))])
      await peer.pour(protocol, [randomBytes(100_000)])
      // Begins a frame, says no more, and goes away.
      await peer.pour(protocol, [framed(randomBytes(3), 1000)])
      await peer.drip(protocol, framed(randomBytes(6), 2000))
      await peer.host.stop()
    }
    await answers(network)
  })

  await t.test('a flood of junk vertices, and of vertices of far rounds that no member signed', async () => {
    for (const piece of [() => randomBytes(mebibyte), () => farVertex(5_000_000), () => farVertex(2)]) {
      const peer = await admitted()
      await peer.pour(
        protocolIds.feed,
        repeated(200, () => framed(Buffer.concat([Uint8Array.of(1), piece()])))
      )
      await until('it is cut off', async () => peer.isCutOff, 10_000)
      await peer.dialAgain(address)
      await until('it stays cut off', async () => peer.host.getConnections().length === 0, 5000)
    }
    await answers(network)
  })

  await t.test(
    'a liar about its progress is not asked without end, and its bomb of an answer is thrown away',
    async () => {
      const peer = await hostilePeer(t, address)
      let asked = 0
      const bomb = commitsBomb()
      await peer.host.handle(protocolIds.commits, async stream => {
        asked++
        stream.send(framed(bomb))
      })
      await peer.hello(genesis)
      const far = {
        epoch: 0,
        round: 1e12,
        commitIndex: 1e12,
        certifiedCommitIndex: 1e12,
        oldestCommitIndex: 1,
        snapshotCommitIndex: 0
      }
      await peer.pour(
        protocolIds.feed,
        repeated(20, () => framed(encodeProgress(far)))
      )
      await until('it is cut off', async () => peer.isCutOff, 20_000)
      assert.ok(asked > 0 && asked < 60, `asked ${asked} times`)
      await answers(network)
    }
  )

  await t.test('answers that nobody reads, and gossip that means nothing', async () => {
    const peer = await admitted()
    const request = framed(encodeCanonical([0, []]))
    await Promise.all(repeatedList(100, () => peer.pour(protocolIds.vertices, [request])))
    assert.equal(peer.isCutOff, false)
    const { digestHex } = parseGenesis(readFileSync(network.devnet.genesisFile, 'utf8'))
    const topic = `/blyan/${digestHex.slice(0, 16)}/events/1`
    const { pubsub } = peer.host.services
    pubsub.subscribe(topic)
    await until('the node takes part in the topic', async () => pubsub.getSubscribers(topic).length > 0)
    await until('it is cut off for its gossip', async () => {
      await pubsub.publish(topic, randomBytes(1000)).catch(() => {})
      return peer.isCutOff
    })
    await answers(network)
  })

  await silentDone
  await until('who said no hello is cut off', async () => silent.isCutOff, 15_000)
  t.diagnostic(`without a hello: cut off after ${((performance.now() - silentSinceMs) / 1000).toFixed(1)} s`)
  const after = memoryAndPid(network)
  t.diagnostic(`resident memory ${before.residentMiB} MiB before, ${after.residentMiB} MiB after`)
  assert.equal(after.pid, before.pid)
  assert.ok(after.residentMiB < before.residentMiB + 300, `${before.residentMiB} MiB became ${after.residentMiB} MiB`)
  const log = readFileSync(join(network.folders[0]!.path, 'logs', 'node.log'), 'utf8')
  assert.match(log, /peer cut off: too many faults/)
  assert.doesNotMatch(log, /INTERNAL/)
  const { sequence, final } = await network.note(0, 'after')
  assert.deepEqual({ sequence, final }, { sequence: 2, final: true })
})

async function answers(network: ProcessNetwork): Promise<void> {
  const startedAtMs = performance.now()
  await network.status(0)
  assert.ok(performance.now() - startedAtMs < 5000, 'it answers slowly')
}

function memoryAndPid(network: ProcessNetwork): { residentMiB: number; pid: number } {
  const { pid } = JSON.parse(readFileSync(join(network.folders[0]!.path, 'api.json'), 'utf8')) as { pid: number }
  const resident = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return { pid, residentMiB: Math.round(Number(resident) / 1024) }
}

function* garbageFrames(count: number): Iterable<Uint8Array> {
  for (let place = 0; place < count; place++) yield framed(randomBytes(1000))
}

function* repeated(count: number, make: () => Uint8Array): Iterable<Uint8Array> {
  for (let place = 0; place < count; place++) yield make()
}

function repeatedList<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make)
}

/** Right in form, signed by nobody. */
function farVertex(round: number): Uint8Array {
  const body = encodeBody([randomBytes(200)])
  const header = encodeHeader({
    epoch: 0,
    round,
    author: 0,
    timestampMs: Date.now(),
    parents: [{ round: round - 1, author: 0, digest: randomBytes(32).toString('hex') }],
    eventCount: 1,
    bodyDigest: Buffer.from(sha256(body)).toString('hex'),
    votes: []
  })
  return Buffer.concat([framed(header), randomBytes(64), body])
}

/** Eight mebibytes of empty commits: seconds of work for who decodes them. */
function commitsBomb(): Uint8Array {
  const bytes = new Uint8Array(8 * mebibyte - 16).fill(0x40)
  bytes.set([0x83, 0x9a])
  new DataView(bytes.buffer).setUint32(2, bytes.length - 8)
  bytes[bytes.length - 1] = 0x80
  return bytes
}
