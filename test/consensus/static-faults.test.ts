import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultParameters } from '../../src/consensus/core/parameters.ts'
import { refOf, staticFault, type Vertex, type VertexHeader } from '../../src/consensus/core/vertex.ts'
import { committeeOf, DagBuilder, vertexOf } from './dag-builder.ts'

const committee = committeeOf(4)
const dag = new DagBuilder(committee).full(3)
const before = [0, 1, 2, 3].map(author => refOf(dag.at(3, author)))
const older = [0, 1, 2, 3].map(author => refOf(dag.at(2, author)))
const vertex = (header: Partial<VertexHeader> = {}): Vertex =>
  vertexOf({ author: 0, round: 4, parents: before, header })
const faultOf = (one: Vertex) => staticFault(one, committee, defaultParameters)

test('a vertex that keeps every rule has no fault', () => {
  assert.equal(faultOf(vertex()), undefined)
  assert.equal(faultOf(vertex({ parents: [before[0]!, before[2]!, before[3]!] })), undefined)
})

test('older parents are allowed beside a quorum of the round before', () => {
  assert.equal(faultOf(vertex({ parents: [older[0]!, before[1]!, before[2]!, before[3]!] })), undefined)
})

const digest = 'ab'.repeat(32)
const faulty: Record<string, Partial<VertexHeader>> = {
  'another epoch': { epoch: 1 },
  'an author who is no member': { author: 4 },
  'round 0': { round: 0, parents: [] },
  'no parents': { parents: [] },
  'more parents than members': { parents: [...before, { round: 3, author: 3, digest }] },
  'a parent by nobody': { parents: [before[0]!, before[1]!, before[2]!, { round: 3, author: 4, digest }] },
  'two parents of one author': { parents: [before[0]!, before[1]!, before[2]!, older[1]!] },
  'two twins as parents': { parents: [before[0]!, before[1]!, { round: 3, author: 1, digest }, before[2]!] },
  'own parent not first': { parents: [before[1]!, before[0]!, before[2]!] },
  'a parent of its own round': { parents: [...before.slice(0, 3), { round: 4, author: 3, digest }] },
  'a parent of a later round': { parents: [...before.slice(0, 3), { round: 9, author: 3, digest }] },
  'no quorum in the round before': { parents: [before[0]!, before[1]!, older[2]!, older[3]!] },
  'too many events': { eventCount: defaultParameters.eventsPerVertexMax + 1 }
}

for (const [name, header] of Object.entries(faulty)) {
  test(`a vertex is refused for ${name}`, () => {
    assert.equal(typeof faultOf(vertex(header)), 'string')
  })
}

test('a vertex is refused for a body over its limit', () => {
  const large = { ...vertex(), body: new Uint8Array(defaultParameters.bodyBytesMax + 1) }
  assert.equal(typeof faultOf(large), 'string')
})

test('parents are weighed: a heavy author and one light one can be a quorum, many light ones are none', () => {
  const weighted = committeeOf([5, 1, 1, 1])
  const fault = (parents: typeof before) =>
    staticFault(vertexOf({ author: parents[0]!.author, round: 4, parents }), weighted, defaultParameters)
  assert.equal(fault([before[0]!, before[1]!]), undefined)
  assert.equal(typeof fault([before[1]!, before[2]!, before[3]!]), 'string')
})
