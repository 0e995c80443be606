import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { encodeCanonical, generateSigningKey } from '../../src/codec/index.ts'
import { encodeBody, eventsOfBody, type Vertex, type VertexHeader } from '../../src/consensus/core/vertex.ts'
import { encodeAnnouncement, encodeProgress, encodeVertexFrame, feedFrame } from '../../src/consensus/wire.ts'
import { checkpointSigningBytes } from '../../src/dag/core/checkpoint.ts'
import { signEvent } from '../../src/dag/index.ts'
import { protocolIds } from '../../src/net/index.ts'
import type { EventLine, PeerView, SlashView } from '../../src/node/index.ts'
import { hostilePeer, randomBytes } from './hostile-peer.ts'
import { type ProcessNetwork, processNetwork, until } from './network-of-processes.ts'
import { type PuppetValidator, puppetValidator } from './puppet-validator.ts'

const honest = [0, 1, 2]
const liarsPlace = 3
const digestOf = (): string => randomBytes(32).toString('hex')

test('a member that lies without being caught in the act changes nothing: finality goes on and orders are equal', {
  timeout: 180_000
}, async t => {
  const { network, liar } = await networkWithLiar(t)
  await goesOn(network, 'while the fourth is honest', 6)
  await until('the puppet is one of the quorum', async () => (await lastRoundOfLiar(network)) > 5)

  const lies: Record<string, () => void> = {
    'vertices to some only': () => {
      liar.tell = vertex => liar.tellTo(vertex, [vertex.header.round % 3])
    },
    'withheld references: the fewest parents that are allowed, never those of member 0': () => {
      liar.tell = vertex => liar.tellAll(vertex)
      liar.bend = header => ({ ...header, parents: withoutMember(header, 0) })
    },
    'times far in the future and the past': () => {
      liar.bend = header => ({ ...header, timestampMs: header.round % 2 === 0 ? 2 ** 45 : 1 })
    },
    'wrong checkpoint signatures, of sequences to come and gone': () => {
      liar.bend = header => ({ ...header, votes: [1, header.round, 10_000].map(sequence => wrongVote(liar, sequence)) })
    },
    'everything it ever saw, again and again': () => {
      liar.bend = header => header
      liar.tell = vertex => {
        for (const one of [...liar.vertices.slice(-20), vertex])
          if (one.header.author === liar.author) liar.tellAll(one)
      }
    },
    'rounds far in the future': () => {
      liar.tell = vertex => {
        liar.tellAll(vertex)
        for (const ahead of [1000, 5000, 1e9]) liar.tellAll(inRound(liar, vertex, vertex.header.round + ahead))
      }
    },
    'names of vertices that nobody has, and answers that are empty, wrong or late': () => {
      liar.tell = seldom(liar, vertex => {
        const refs = Array.from({ length: 50 }, (_, place) => ({
          round: vertex.header.round + place,
          author: 3,
          digest: digestOf()
        }))
        for (const author of honest) liar.push(author, encodeAnnouncement({ epoch: 0, refs }))
      })
      liar.answer = async digests => {
        if (liar.asked % 3 === 0) return new Uint8Array(0)
        if (liar.asked % 3 === 1) await new Promise(resolve => setTimeout(resolve, 1900))
        return liar.honestAnswer(digests.slice(1))
      }
    },
    'far ahead, it says, with a snapshot': () => {
      const far = 2 ** 52
      const progress = encodeProgress({
        epoch: 0,
        round: far,
        commitIndex: far,
        certifiedCommitIndex: far,
        oldestCommitIndex: far,
        snapshotCommitIndex: far
      })
      liar.tell = seldom(liar, () => {
        for (const author of honest) liar.push(author, progress)
      })
    }
  }
  for (const [name, begin] of Object.entries(lies)) {
    await t.test(name, async () => {
      begin()
      await goesOn(network, name, 9)
    })
  }
  await sameOrders(network)

  await t.test('a node that was away catches up although one of its peers answers nothing of use', async () => {
    await network.kill(2)
    liar.tell = vertex => liar.tellAll(vertex)
    for (let count = 0; count < 24; count++) await network.note(count % 2, `missed ${count}`)
    liar.answer = async () => new Promise(() => {})
    await network.start(2)
    const { final } = await network.note(2, 'back').catch(async error => {
      for (const place of [0, 1, 2]) {
        const { quorum, checkpoint, sync, state } = await network.status(place)
        t.diagnostic(JSON.stringify({ place, state, quorum, checkpoint, sync }))
      }
      throw error
    })
    assert.equal(final, true)
    await sameOrders(network)
  })

  await t.test('two vertices for one round: proven on the chain, and it is cut off', async () => {
    liar.answer = async digests => liar.honestAnswer(digests)
    liar.tell = vertex => {
      const twin = liar.sign({ ...vertex.header, timestampMs: vertex.header.timestampMs + 1 }, vertex.body)
      liar.tellTo(vertex, [0])
      liar.tellTo(twin, [1, 2])
    }
    await goesOn(network, 'two vertices for one round', 9)
    await until('the proof is final', async () => (await typesOf(network, 0)).includes('evidence'))
    await until('all have cut it off', async () => {
      const seen = await Promise.all(honest.map(place => peersOf(network, place)))
      return seen.every(peers => peers.every(peer => peer.peerId !== liar.network.peerId))
    })
    await goesOn(network, 'without the liar', 6)
    await sameOrders(network)
    for (const place of honest) assert.deepEqual(reasonsAt(network, place), ['two vertices for one round'])
  })

  await t.test('it has lost a tenth of its stake and is out of the set', async () => {
    await until('it is out of the set', async () => (await network.status(0)).quorum.validators === 3)
    for (const place of honest) {
      const [slash, ...others] = await slashesAt(network, place)
      assert.deepEqual(
        [slash?.offence, slash?.penaltyPpm, slash?.name, others],
        ['double-signing', 100_000, 'node-3', []]
      )
    }
    await goesOn(network, 'three by themselves', 3)
  })
})

test('floods and faults of a member and of strangers: memory is bounded, who is at fault is scored and cut off', {
  timeout: 180_000
}, async t => {
  const { network, liar } = await networkWithLiar(t)
  await goesOn(network, 'before', 6)
  await until('the puppet is one of the quorum', async () => (await lastRoundOfLiar(network)) > 3)
  const before = honest.map(place => residentMiB(network, place))

  await t.test('a flood of fetches, whose answers it reads slowly or not at all', async () => {
    const digests = liar.vertices.slice(-64).map(vertex => Buffer.from(vertex.digest, 'hex'))
    const requests = [
      [protocolIds.vertices, encodeCanonical([0, digests])],
      [protocolIds.commits, encodeCanonical([1])],
      [protocolIds.witness, encodeCanonical([0, 1])]
    ] as const
    const asked = honest.flatMap(author =>
      requests.flatMap(([protocol, request]) =>
        Array.from({ length: 300 }, () =>
          liar.network.request(liar.peerOf(author), protocol, request, 3000).catch(() => {})
        )
      )
    )
    await goesOn(network, 'during a flood of fetches', 6)
    await Promise.all(asked)
  })

  await t.test('a flood of its own vertices, large and of rounds to come', async () => {
    const model = liar.last!
    const body = largeBody(liar)
    // So far ahead that its key reaches none of these rounds while the test runs: it would have signed twice.
    for (let count = 0; count < 60; count++)
      for (const author of honest)
        liar.push(author, encodeVertexFrame(inRound(liar, model, model.header.round + 420 + count, body)))
    await goesOn(network, 'during a flood of vertices', 6)
  })

  await t.test('strangers flood with gossip, streams and connections', async () => {
    const { addresses, genesis } = await network.status(0)
    const prefix = liar.genesis.digestHex.slice(0, 16)
    const gossiper = await hostilePeer(t, addresses[0]!)
    await gossiper.hello(genesis)
    const topic = `/blyan/${prefix}/events/1`
    gossiper.host.services.pubsub.subscribe(topic)
    await until('gossip reaches the node', async () => gossiper.host.services.pubsub.getSubscribers(topic).length > 0)
    await until('who gossips garbage is cut off', async () => {
      for (let count = 0; count < 50; count++)
        await gossiper.host.services.pubsub.publish(topic, randomBytes(1000)).catch(() => {})
      return gossiper.isCutOff
    })
    const streamer = await hostilePeer(t, addresses[0]!)
    await streamer.hello(genesis)
    await Promise.all(
      Array.from({ length: 400 }, async () => (await streamer.stream(protocolIds.vertices)).send(Uint8Array.of(0))).map(
        one => one.catch(() => {})
      )
    )
    await Promise.all(Array.from({ length: 60 }, () => hostilePeer(t, addresses[0]!).catch(() => {})))
    await goesOn(network, 'during floods of strangers', 6)
  })

  await t.test(
    'a vertex that breaks a rule costs points that its operator sees, more of them the connection',
    async () => {
      const badAt = (author: number, count: number): void => {
        for (let place = 0; place < count; place++)
          liar.push(author, encodeVertexFrame(withBadParents(liar, liar.last!, place)))
      }
      badAt(0, 2)
      await until('the score shows', async () => {
        const peer = (await peersOf(network, 0)).find(one => one.peerId === liar.network.peerId)
        return peer !== undefined && peer.score <= -30
      })
      badAt(0, 4)
      await cutOff(network, liar, 0)
      await until('its stake is slashed', async () => (await slashesAt(network, 0))[0]?.offence === 'invalid')
    }
  )

  await t.test('garbage and oversize frames', async () => {
    for (let count = 0; count < 6; count++)
      liar.push(1, Buffer.concat([Uint8Array.of(feedFrame.vertex), randomBytes(500)]))
    await cutOff(network, liar, 1)
  })

  await t.test('a flood of progress', async () => {
    const far = {
      epoch: 0,
      round: 1,
      commitIndex: 1,
      certifiedCommitIndex: 1,
      oldestCommitIndex: 1,
      snapshotCommitIndex: 0
    }
    for (let count = 0; count < 2000; count++) liar.push(2, encodeProgress(far))
    await cutOff(network, liar, 2)
  })

  await goesOn(network, 'after all', 9)
  await sameOrders(network)
  for (const place of honest) t.diagnostic(`node ${place} cut off for: ${reasonsAt(network, place).join(', ')}`)
  const after = honest.map(place => residentMiB(network, place))
  t.diagnostic(`resident MiB before ${before.join(', ')}, after ${after.join(', ')}`)
  for (const place of honest) {
    assert.ok(after[place]! < before[place]! + 250, `node ${place}: ${before[place]} MiB became ${after[place]} MiB`)
    assert.doesNotMatch(readFileSync(join(network.folders[place]!.path, 'logs', 'node.log'), 'utf8'), /INTERNAL/)
  }
})

async function networkWithLiar(
  t: Parameters<typeof processNetwork>[0]
): Promise<{ network: ProcessNetwork; liar: PuppetValidator }> {
  const network = await processNetwork(t, 4)
  await network.start(...honest)
  const liar = await puppetValidator(t, network, liarsPlace)
  return { network, liar }
}

/** Events of all honest nodes become final. */
async function goesOn(network: ProcessNetwork, what: string, count: number): Promise<void> {
  for (let place = 0; place < count; place++) {
    const { final } = await network.note(honest[place % honest.length]!, `${what} ${place}`)
    assert.equal(final, true)
  }
}

async function sameOrders(network: ProcessNetwork): Promise<void> {
  const counts = async () => Promise.all(honest.map(async place => (await network.status(place)).events.final))
  await until('all have the same number of events', async () => new Set(await counts()).size === 1)
  const [first, ...others] = await Promise.all(honest.map(place => network.order(place)))
  for (const order of others) assert.deepEqual(order, first)
}

async function lastRoundOfLiar(network: ProcessNetwork): Promise<number> {
  const { quorum } = await network.status(0)
  return Math.max(
    ...quorum.members.filter(member => member.name === `node-${liarsPlace}`).map(one => one.lastRound ?? 0)
  )
}

async function peersOf(network: ProcessNetwork, place: number): Promise<PeerView[]> {
  const { peers } = await (await network.daemon(place)).json<{ peers: PeerView[] }>({ path: '/v0/peers' })
  return peers
}

async function typesOf(network: ProcessNetwork, place: number): Promise<string[]> {
  const types: string[] = []
  for await (const line of (await network.daemon(place)).lines<EventLine>({
    path: '/v0/events',
    query: { from: 1, limit: 100_000 }
  }))
    types.push(line.type)
  return types
}

async function slashesAt(network: ProcessNetwork, place: number): Promise<SlashView[]> {
  return (await network.daemon(place)).json<SlashView[]>({ path: '/v0/slashes' })
}

async function cutOff(network: ProcessNetwork, liar: PuppetValidator, place: number): Promise<void> {
  await until(`node ${place} cuts it off`, async () => {
    const log = readFileSync(join(network.folders[place]!.path, 'logs', 'node.log'), 'utf8')
    const peers = await peersOf(network, place)
    return /peer cut off: too many faults/.test(log) && peers.every(peer => peer.peerId !== liar.network.peerId)
  })
}

/** Why somebody was cut off, as the log says it. */
function reasonsAt(network: ProcessNetwork, place: number): string[] {
  const log = readFileSync(join(network.folders[place]!.path, 'logs', 'node.log'), 'utf8')
  return log
    .split('\n')
    .filter(line => line.includes('peer cut off: too many faults'))
    .map(line => (JSON.parse(line) as { reason: string }).reason)
}

function residentMiB(network: ProcessNetwork, place: number): number {
  const { pid } = JSON.parse(readFileSync(join(network.folders[place]!.path, 'api.json'), 'utf8')) as { pid: number }
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024)
}

/** Right in form as long as a quorum of the round before is left. */
function withoutMember(header: VertexHeader, author: number): VertexHeader['parents'] {
  const parents = header.parents.filter(parent => parent.author !== author)
  return parents.filter(parent => parent.round === header.round - 1).length >= 3 ? parents : header.parents
}

function wrongVote(liar: PuppetValidator, sequence: number): VertexHeader['votes'][number] {
  const digest = digestOf()
  return { sequence, digest, signature: liar.signBytes(checkpointSigningBytes(liar.genesis.digest, digest)) }
}

/** Parents that nobody has, so that it waits for them as long as it is kept. */
function inRound(liar: PuppetValidator, model: Vertex, round: number, body: Uint8Array = new Uint8Array(0)): Vertex {
  const parents = [3, 0, 1].map(author => ({ round: round - 1, author, digest: digestOf() }))
  return liar.sign({ ...model.header, round, parents, votes: [], eventCount: eventsOfBody(body).length }, body)
}

/** Honest, and besides it something else about once a second. */
function seldom(liar: PuppetValidator, more: (vertex: Vertex) => void): (vertex: Vertex) => void {
  let lastAtMs = 0
  return vertex => {
    liar.tellAll(vertex)
    if (performance.now() - lastAtMs < 1000) return
    lastAtMs = performance.now()
    more(vertex)
  }
}

/** Ten large events, rightly signed by nobody in particular. */
function largeBody(liar: PuppetValidator): Uint8Array {
  const key = generateSigningKey()
  const eventOf = (logicalClock: number) =>
    signEvent(
      {
        tenantId: '',
        logicalClock,
        region: '',
        origin: '',
        createdAtMs: Date.now(),
        type: 'note',
        payload: randomBytes(60_000),
        author: key.publicKey
      },
      key,
      liar.genesis.digest
    )
  return encodeBody(Array.from({ length: 10 }, (_, place) => eventOf(place + 1).bytes))
}

function withBadParents(liar: PuppetValidator, model: Vertex, place: number): Vertex {
  const { round, parents } = model.header
  const bad = [
    parents.slice(0, 1),
    [...parents, parents[0]!],
    parents.map(parent => ({ ...parent, round: round + 5 })),
    parents.map(parent => ({ ...parent, author: 99 }))
  ][place % 4]!
  return liar.sign(
    { ...model.header, round: round + 1, timestampMs: place, parents: bad, votes: [] },
    new Uint8Array(0)
  )
}
