import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCommittee, type Vertex } from '../../src/consensus/index.ts'
import { encodeEvidence } from '../../src/dag/index.ts'
import { offenceKey } from '../../src/ledger/index.ts'
import { createEvidenceService } from '../../src/node/evidence-service.ts'
import { vertexOf } from '../consensus/dag-builder.ts'
import { accountOf, keyOf } from '../dag/small-network.ts'

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

/** Four nodes that see the same offence; what one submits is in the state of all at once. */
function quorumOf(t: { after(what: () => void): void }, selves: readonly (number | undefined)[]) {
  const state = new Map<string, unknown>()
  const submitted: { by: number | undefined; payload: Uint8Array }[] = []
  const first = Promise.withResolvers<void>()
  const services = selves.map(self => {
    const service = createEvidenceService({
      chains: {
        committeeOf: epoch => (epoch === 3 ? committee : undefined),
        stateValue: key => state.get(key),
        epoch: { committee, digest: new Uint8Array(32), timestampMs: 0 }
      },
      events: {
        submit: async request => {
          assert.ok('payload' in request && request.type === 'evidence')
          submitted.push({ by: self, payload: request.payload })
          state.set(offence, {})
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
