import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { bytesToHex, hexToBytes, sha256 } from '../../src/codec/index.ts'
import { briefOf, completeBrief, decodeBrief, encodeBrief } from '../../src/consensus/brief-vertex.ts'
import { encodeHeader, encodeVertex, type Vertex, type VertexRef } from '../../src/consensus/core/vertex.ts'
import { encodeBriefFrame, feedFrame } from '../../src/consensus/wire.ts'
import { refusesOnlyByName } from '../codec/fuzz.ts'
import { committeeOf, DagBuilder } from './dag-builder.ts'

const vector = JSON.parse(readFileSync(new URL('../vectors/feed.json', import.meta.url), 'utf8'))

function quiet(count: number, rounds = 3) {
  const vertices = new DagBuilder(committeeOf(count)).full(rounds).vertices
  const signed = vertices.map(vertex => ({ ...vertex, signature: new Uint8Array(64).fill(7) }))
  const last = signed.filter(vertex => vertex.header.round === rounds)
  const parentOf = (author: number) =>
    signed.find(vertex => vertex.header.round === rounds - 1 && vertex.header.author === author)?.digest
  return { last, parentOf }
}

test('a quiet vertex told in short is put together byte for byte by who has its parents', () => {
  for (const count of [1, 4, 10, 50]) {
    const { last, parentOf } = quiet(count)
    for (const vertex of last) {
      const brief = briefOf(vertex)
      assert.ok(brief !== undefined)
      const told = decodeBrief(encodeBrief(brief))
      assert.deepEqual(encodeVertex(completeBrief(told, parentOf)!), encodeVertex(vertex))
    }
  }
})

test('it is a fraction of the whole, whatever the size of the committee', () => {
  for (const [count, share] of [
    [4, 0.55],
    [10, 0.3],
    [50, 0.09]
  ] as const) {
    const vertex = quiet(count).last[0]!
    const frame = encodeBriefFrame(vertex)
    assert.equal(frame[0], feedFrame.brief)
    assert.ok(frame.length < share * encodeVertex(vertex).length, `${frame.length} of ${encodeVertex(vertex).length}`)
  }
})

test('who lacks a parent, or has another one, puts nothing together', () => {
  const { last, parentOf } = quiet(4)
  const brief = briefOf(last[0]!)!
  const lacking = (author: number) => (author === 2 ? undefined : parentOf(author))
  const another = (author: number) => (author === 2 ? 'ab'.repeat(32) : parentOf(author))
  assert.deepEqual([completeBrief(brief, lacking), completeBrief(brief, another)], [undefined, undefined])
  assert.equal(completeBrief({ ...brief, timestampMs: 1 }, parentOf), undefined)
})

test('parents of older rounds are named, and stand where they stood', () => {
  const { last, parentOf } = quiet(4)
  const whole = last[1]!
  const older: VertexRef = { round: 1, author: 3, digest: 'cd'.repeat(32) }
  const parents = whole.header.parents.map(parent => (parent.author === 3 ? older : parent))
  const vertex = remade(whole, { parents })
  const brief = briefOf(vertex)!
  assert.deepEqual(brief.older, [older])
  assert.deepEqual(completeBrief(decodeBrief(encodeBrief(brief)), parentOf)?.header, vertex.header)
})

test('what cannot be told in short goes out whole', () => {
  const vertex = quiet(4).last[0]!
  const votes = [{ sequence: 1, digest: 'ab'.repeat(32), signature: new Uint8Array(64) }]
  for (const one of [
    remade(vertex, { votes }),
    remade(vertex, { eventCount: 1 }),
    remade(vertex, { parents: [...vertex.header.parents].reverse() })
  ])
    assert.equal(encodeBriefFrame(one)[0], feedFrame.vertex)
})

test('the committed bytes of a short vertex', () => {
  const brief = {
    ...vector.brief,
    present: hexToBytes(vector.brief.present)!,
    signature: hexToBytes(vector.brief.signature)!
  }
  assert.equal(bytesToHex(encodeBrief(brief)), vector.briefBytes)
  const parents = vector.briefParents as (string | null)[]
  const vertex = completeBrief(decodeBrief(hexToBytes(vector.briefBytes)!), author => parents[author] ?? undefined)
  assert.equal(bytesToHex(encodeVertex(vertex!)), vector.vertexBytes)
})

test('whatever bytes come, the decoder answers or refuses by name', () => {
  refusesOnlyByName(decodeBrief, [encodeBrief(briefOf(quiet(4).last[0]!)!)])
})

/** The same vertex with other fields and the digest that follows. */
function remade(vertex: Vertex, change: Partial<Vertex['header']>): Vertex {
  const header = { ...vertex.header, ...change }
  const headerBytes = encodeHeader(header)
  return { ...vertex, header, headerBytes, digest: bytesToHex(sha256(headerBytes)) }
}
