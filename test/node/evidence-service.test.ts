import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeBody, vertexSigningBytes } from '../../src/consensus/core/vertex.ts'
import { createCommittee, type Vertex } from '../../src/consensus/index.ts'
import { encodeEvidence, encodeInvalidEvidence, genesisOf } from '../../src/dag/index.ts'
import { invalidOffenceKey, offenceKey } from '../../src/ledger/index.ts'
import { createEvidenceService } from '../../src/node/evidence-service.ts'
import { vertexOf } from '../consensus/dag-builder.ts'
import { accountOf, genesisFile, keyOf } from '../dag/small-network.ts'
import { economyGenesisFile } from '../ledger/ledger-world.ts'

const keys = [0, 1, 2, 3].map(index => keyOf(`validator ${index}`))
const committee = createCommittee(
  3,
  keys.map((key, index) => ({
    name: `v${index}`,
    publicKey: key.publicKey,
    peerId: `peer${index}`,
    origin: '',
    region: '',
    weight: 1
  }))
)
const vertex = (timestampMs: number, author = 2): Vertex =>
  vertexOf({ author, round: 9, parents: [], timestampMs, header: { epoch: 3 } })
const offence = offenceKey(3, accountOf(keys[2]!))

const withEconomy = genesisOf(economyGenesisFile())
const offencesByType: Record<string, string> = {
  evidence: offence,
  'evidence-invalid': invalidOffenceKey(3, accountOf(keys[2]!))
}
const digest = 'ab'.repeat(32)

/** A vertex that its author signed, with a quorum of parents unless others are given. */
function signed(fields: Partial<Parameters<typeof vertexOf>[0]> = {}): Vertex {
  const parents = [2, 0, 1, 3].map(author => ({ round: 8, author, digest }))
  const made = vertexOf({ author: 2, round: 9, parents, header: { epoch: 3 }, ...fields })
  return { ...made, signature: keys[2]!.sign(vertexSigningBytes(withEconomy.digest, made.digest)) }
}

/** Four nodes that see the same offence; what one submits is in the state of all at once. */
function quorumOf(
  t: { after(what: () => void): void },
  selves: readonly (number | undefined)[],
  genesis = withEconomy
) {
  const state = new Map<string, unknown>()
  const submitted: { by: number | undefined; payload: Uint8Array }[] = []
  const first = Promise.withResolvers<void>()
  const services = selves.map(self => {
    const service = createEvidenceService({
      genesis,
      chains: {
        committeeOf: epoch => (epoch === 3 ? committee : undefined),
        stateValue: key => state.get(key),
        epoch: { committee, digest: new Uint8Array(32), timestampMs: 0 }
      },
      events: {
        submit: async request => {
          assert.ok('payload' in request)
          submitted.push({ by: self, payload: request.payload })
          state.set(offencesByType[request.type]!, {})
          first.resolve()
          return {
            eventId: '',
            final: false,
            finality: 'pending',
            missing: [],
            sequence: null,
            block: null,
            elapsedMs: 0
          }
        }
      },
      self: () => self,
      logger: { warn: () => {}, info: () => {} },
      turnMs: 20
    })
    t.after(() => service.stop())
    return service
  })
  return { services, submitted, first: first.promise, state }
}

const turns = (count: number) => new Promise(resolve => setTimeout(resolve, count * 20))

test('all honest validators see an offence, and one event is made of it', async t => {
  const { services, submitted, first } = quorumOf(t, [0, 1, 2, 3])
  for (const [place, service] of services.entries())
    place % 2 === 0 ? service.onEquivocation(vertex(1), vertex(2)) : service.onEquivocation(vertex(2), vertex(1))
  await first
  await turns(12)
  assert.deepEqual(
    submitted.map(({ payload }) => payload),
    [encodeEvidence(vertex(1), vertex(2))]
  )
})

test('what the state has already is not submitted, nor is anything by a follower', async t => {
  const known = quorumOf(t, [0, 1])
  known.state.set(offence, {})
  const following = quorumOf(t, [undefined])
  for (const service of [...known.services, ...following.services]) service.onEquivocation(vertex(1), vertex(2))
  await turns(12)
  assert.deepEqual([known.submitted, following.submitted], [[], []])
})

test('vertices of an epoch or an author that nobody knows make nothing', async t => {
  const { services, submitted } = quorumOf(t, [0])
  services[0]!.onEquivocation(vertex(1, 7), vertex(2, 7))
  services[0]!.onEquivocation(
    vertexOf({ author: 2, round: 9, parents: [], header: { epoch: 4 } }),
    vertexOf({ author: 2, round: 9, parents: [], timestampMs: 5, header: { epoch: 4 } })
  )
  await turns(8)
  assert.deepEqual(submitted, [])
})

test('a vertex that no rule allows is proven by its header, once for all who saw it', async t => {
  const { services, submitted, first } = quorumOf(t, [0, 1, 3])
  const bad = signed({ parents: [] })
  for (const service of services) service.onInvalidVertex(bad, 'number of parents')
  await first
  await turns(12)
  const { headerBytes: bytes, signature } = bad
  assert.deepEqual(
    submitted.map(({ payload }) => payload),
    [encodeInvalidEvidence({ kind: 'header', header: { bytes, signature } })]
  )
})

test('a wrong event in it is proven by its body, at its place', async t => {
  const { services, submitted, first } = quorumOf(t, [0])
  const bad = signed({ events: [new Uint8Array(80)] })
  services[0]!.onInvalidVertex(bad, 'an event')
  await first
  const header = { bytes: bad.headerBytes, signature: bad.signature }
  const body = encodeBody([new Uint8Array(80)])
  assert.deepEqual(submitted[0]!.payload, encodeInvalidEvidence({ kind: 'body', header, body, place: 0 }))
})

test('nothing is brought of a right vertex, of one that somebody else signed, of one too large, and where nobody is punished', async t => {
  const { services, submitted } = quorumOf(t, [0])
  services[0]!.onInvalidVertex(signed(), 'nothing')
  services[0]!.onInvalidVertex({ ...signed({ parents: [] }), signature: new Uint8Array(64) }, 'number of parents')
  services[0]!.onInvalidVertex(signed({ events: [new Uint8Array(66_000)] }), 'an event')
  const without = quorumOf(t, [0], genesisOf(genesisFile()))
  without.services[0]!.onInvalidVertex(signed({ parents: [] }), 'number of parents')
  await turns(10)
  assert.deepEqual([submitted, without.submitted], [[], []])
})
