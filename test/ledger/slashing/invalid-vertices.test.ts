import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bytesToHex, type SigningKey, sha256 } from '../../../src/codec/index.ts'
import { encodeBody, encodeHeader, staticFault, type VertexHeader } from '../../../src/consensus/core/vertex.ts'
import { checkpointDigest, checkpointSigningBytes, encodeCheckpoint } from '../../../src/dag/core/checkpoint.ts'
import { readInvalidEvidence } from '../../../src/dag/core/invalid-evidence.ts'
import { encodeInvalidEvidence, faultyPlace, type InvalidEvidence, signEvent } from '../../../src/dag/index.ts'
import { invalidOffenceKey, undoPunishment } from '../../../src/ledger/slashing/index.ts'
import { refusesOnlyByName } from '../../codec/fuzz.ts'
import { accountOf, keyOf } from '../../dag/small-network.ts'
import { bly, type LedgerWorld, operatorKey, validatorKey } from '../ledger-world.ts'
import { dayMs, isMember, offender, operator, punishments, signedHeader, slashingWorld, twice } from './accused.ts'

const type = 'evidence-invalid'
const honest = operatorKey(0)
const digest = 'ab'.repeat(32)
const parentsOf = (round: number, authors = [2, 0, 1, 3]): VertexHeader['parents'] =>
  authors.map(author => ({ round: round - 1, author, digest }))

function note(world: LedgerWorld, logicalClock: number, by: SigningKey = keyOf('somebody')): Uint8Array {
  const envelope = {
    tenantId: '',
    logicalClock,
    region: '',
    origin: '',
    createdAtMs: 0,
    type: 'note',
    payload: new Uint8Array(3),
    author: by.publicKey
  }
  return signEvent(envelope, by, world.genesis.digest).bytes
}

function vertex(world: LedgerWorld, changes: Partial<VertexHeader> = {}, body: Uint8Array = new Uint8Array(0)) {
  const header = { parents: parentsOf(changes.round ?? 7), bodyDigest: bytesToHex(sha256(body)), ...changes }
  return { header: signedHeader(world, header), body }
}

function vote(world: LedgerWorld, by: SigningKey, sequence: number, of = digest): VertexHeader['votes'][number] {
  return { sequence, digest: of, signature: by.sign(checkpointSigningBytes(world.genesis.digest, of)) }
}

const bring = (world: LedgerWorld, evidence: InvalidEvidence): string =>
  world.applyPayload(honest, type, encodeInvalidEvidence(evidence))
const headerOf = ({ bytes, signature }: { bytes: Uint8Array; signature: Uint8Array }) => ({ bytes, signature })
const spoilt = (event: Uint8Array): Uint8Array => event.with(3, event[3]! ^ 1)

/** Bodies that no honest validator signs, with the number of events that the header says and the place of the fault. */
const badBodies: Record<string, (world: LedgerWorld) => { body: Uint8Array; count: number; place: number | null }> = {
  'an event with a wrong signature': world => ({
    body: encodeBody([note(world, 1), spoilt(note(world, 2))]),
    count: 2,
    place: 1
  }),
  'an event that does not decode': () => ({ body: encodeBody([new Uint8Array(99)]), count: 1, place: 0 }),
  'an empty event': () => ({ body: encodeBody([new Uint8Array(0)]), count: 1, place: 0 }),
  'another number of events': world => ({ body: encodeBody([note(world, 1)]), count: 2, place: null }),
  'lengths that do not add up': () => ({ body: Uint8Array.of(0, 0, 1), count: 0, place: null })
}

for (const [name, make] of Object.entries(badBodies)) {
  test(`a vertex with ${name} costs a twentieth and seven days`, () => {
    const world = slashingWorld()
    const { body, count, place } = make(world)
    const bad = vertex(world, { eventCount: count }, body)
    assert.equal(faultyPlace({ ...baseHeader, eventCount: count }, body, world.genesis.digest), place)
    assert.equal(bring(world, { kind: 'body', header: headerOf(bad.header), body, place }), '')
    const [punishment] = punishments(world)
    assert.deepEqual([punishment!.offence, punishment!.burntUnits], ['invalid', 5000n * bly])
    assert.equal(punishment!.banUntilMs, world.nowMs + 7 * dayMs)
    world.nextEpoch()
    assert.equal(isMember(world), false)
    world.check()
  })
}
const baseHeader: VertexHeader = {
  epoch: 0,
  round: 7,
  author: offender,
  timestampMs: 0,
  parents: [],
  eventCount: 0,
  bodyDigest: digest,
  votes: []
}

const badHeaders: Record<string, (world: LedgerWorld) => Partial<VertexHeader>> = {
  'no parents': () => ({ parents: [] }),
  'two parents of one author': () => ({ parents: parentsOf(7, [2, 0, 0, 1, 3]) }),
  'no quorum before it': () => ({ parents: parentsOf(7, [2, 0]) }),
  'a parent of its own round': () => ({ parents: parentsOf(8) }),
  'its own parent not first': () => ({ parents: parentsOf(7, [0, 2, 1]) }),
  'too many events': () => ({ eventCount: 5000 }),
  'a round that is never sent': () => ({ round: 0, parents: [] }),
  'a vote that somebody else signed': world => ({ votes: [vote(world, keyOf('stranger'), 3)] })
}
for (const [name, changes] of Object.entries(badHeaders)) {
  test(`a header with ${name} is proven by its own bytes`, () => {
    const world = slashingWorld()
    const { header } = vertex(world, changes(world))
    assert.equal(bring(world, { kind: 'header', header: headerOf(header) }), '')
    assert.equal(world.pool(operator)!.stakeUnits, 95_000n * bly)
    assert.equal(punishments(world).length, 1)
  })
}

test('a vote for another checkpoint than the one that was executed is proven while that is remembered', () => {
  const world = slashingWorld()
  const executed = '07'.repeat(32)
  world.handlers.economy!.afterCheckpoint(world.state, { sequence: 5, digest: executed })
  const prove = (one: VertexHeader['votes'][number]): string =>
    bring(world, { kind: 'vote', header: headerOf(vertex(world, { votes: [one] }).header), place: 0 })
  assert.equal(prove(vote(world, validatorKey(offender), 5, executed)), 'EVIDENCE_NO_FAULT')
  assert.equal(prove(vote(world, validatorKey(offender), 6)), 'EVIDENCE_CHECKPOINT_UNKNOWN')
  assert.equal(prove(vote(world, validatorKey(0), 5)), 'EVIDENCE_KEY_WRONG')
  assert.equal(prove(vote(world, validatorKey(offender), 5)), '')
  assert.equal(punishments(world)[0]!.evidence.kind, 'event')
})

test('two checkpoints of one sequence are proven at any time, without a vertex', () => {
  const world = slashingWorld()
  const signed = (stateRoot: string, sequence = 9) => {
    const bytes = encodeCheckpoint({
      epoch: 0,
      sequence,
      commitIndex: 1,
      commitDigest: digest,
      previous: digest,
      eventFirst: 1,
      eventCount: 0,
      eventRoot: digest,
      stateRoot,
      chainHeads: [null, null, null, null],
      timestampMs: 1
    })
    const message = checkpointSigningBytes(world.genesis.digest, checkpointDigest(bytes))
    return { bytes, signature: validatorKey(offender).sign(message) }
  }
  const [one, other] = [signed('01'.repeat(32)), signed('02'.repeat(32))]
  const of = (first: typeof one, second: typeof one, author = offender): InvalidEvidence => ({
    kind: 'checkpoints',
    epoch: 0,
    author,
    first,
    second
  })
  assert.equal(bring(world, of(one, one)), 'EVIDENCE_INVALID')
  assert.equal(bring(world, of(one, signed('02'.repeat(32), 10))), 'EVIDENCE_NO_FAULT')
  assert.equal(bring(world, of(one, other, 1)), 'EVIDENCE_KEY_WRONG')
  assert.equal(bring(world, of(other, one)), '')
  assert.equal(bring(world, of(one, other)), 'EVIDENCE_KNOWN')
})

test('what proves nothing has its own code, and nothing moves', () => {
  const world = slashingWorld()
  const body = encodeBody([note(world, 1)])
  const good = vertex(world, { eventCount: 1 }, body)
  const bad = vertex(world, { eventCount: 2 }, body)
  const byStranger = { ...bad.header, signature: signedHeader(world, {}, keyOf('stranger')).signature }
  const root = world.state.root()
  const header = headerOf(good.header)
  assert.equal(bring(world, { kind: 'header', header }), 'EVIDENCE_NO_FAULT')
  assert.equal(bring(world, { kind: 'body', header, body, place: null }), 'EVIDENCE_NO_FAULT')
  assert.equal(bring(world, { kind: 'body', header, body, place: 0 }), 'EVIDENCE_NO_FAULT')
  assert.equal(bring(world, { kind: 'body', header, body, place: 1 }), 'EVIDENCE_INVALID')
  assert.equal(bring(world, { kind: 'body', header, body: spoilt(body), place: 0 }), 'EVIDENCE_INVALID')
  assert.equal(bring(world, { kind: 'vote', header, place: 0 }), 'EVIDENCE_INVALID')
  assert.equal(bring(world, { kind: 'body', header: headerOf(byStranger), body, place: null }), 'EVIDENCE_KEY_WRONG')
  const stale = vertex(world, { epoch: 7, parents: [] })
  assert.equal(bring(world, { kind: 'header', header: headerOf(stale.header) }), 'EVIDENCE_EPOCH_UNKNOWN')
  const nobody = vertex(world, { author: 99, parents: [] })
  assert.equal(bring(world, { kind: 'header', header: headerOf(nobody.header) }), 'EVIDENCE_INVALID')
  assert.equal(world.applyPayload(honest, type, Uint8Array.of(0xa0)), 'EVIDENCE_INVALID')
  assert.equal(world.apply(honest, type, { kind: 'rumour' }), 'EVENT_PAYLOAD_INVALID')
  assert.equal(world.state.root(), root)
})

test('one punishment for an epoch and a key; double signing is another offence, and its ban stays when this one is undone', () => {
  const world = slashingWorld()
  const bad = (round: number): InvalidEvidence => ({
    kind: 'header',
    header: headerOf(vertex(world, { round, parents: [] }).header)
  })
  world.commit(1000)
  assert.equal(bring(world, bad(7)), '')
  assert.equal(bring(world, bad(8)), 'EVIDENCE_KNOWN')
  assert.ok(world.state.get(invalidOffenceKey(0, accountOf(validatorKey(offender)))) !== undefined)
  assert.equal(world.applyPayload(honest, 'evidence', twice(world)), '')
  const untilMs = world.nowMs + 30 * dayMs
  undoPunishment(world.state, world.genesis, '1')
  assert.deepEqual([world.pool(operator)!.jailedUntilMs, world.pool(operator)!.jailReason], [untilMs, 'double-signing'])
  assert.equal(world.pool(operator)!.stakeUnits, 90_500n * bly)
  world.check()
})

test('evidence by words says the same as by bytes, and is shown with all that has to be looked at', () => {
  const world = slashingWorld()
  const { header } = vertex(world, { parents: [] })
  const json = { kind: 'header', header: { bytes: bytesToHex(header.bytes), signature: bytesToHex(header.signature) } }
  const handler = world.handlers.get(type)
  const payload = handler.encodePayload(json)
  assert.deepEqual(payload, encodeInvalidEvidence({ kind: 'header', header: headerOf(header) }))
  assert.deepEqual(handler.describePayload(payload), { ...json, epoch: 0, author: offender, round: 7 })
})

const timesOfSome = fc.record({
  round: fc.integer({ min: 1, max: 1_000_000 }),
  timestampMs: fc.nat(),
  absent: fc.constantFrom<number | undefined>(undefined, 0, 1, 3),
  events: fc.integer({ min: 0, max: 4 }),
  votes: fc.integer({ min: 0, max: 3 }),
  place: fc.option(fc.nat(5), { nil: null })
})

test('a vertex that keeps the rules is never proven wrong, whatever kind of evidence is made of it', () => {
  const world = slashingWorld()
  fc.assert(
    fc.property(timesOfSome, ({ round, timestampMs, absent, events, votes, place }) => {
      const body = encodeBody(Array.from({ length: events }, (_, at) => note(world, at + 1)))
      const parents = parentsOf(round).filter(({ author }) => author !== absent)
      const ballots = Array.from({ length: votes }, (_, at) => vote(world, validatorKey(offender), at + 1))
      const made = vertex(world, { round, timestampMs, parents, eventCount: events, votes: ballots }, body)
      const header = headerOf(made.header)
      const evidence: InvalidEvidence[] = [
        { kind: 'header', header },
        { kind: 'body', header, body, place },
        { kind: 'body', header, body: new Uint8Array(1), place },
        { kind: 'vote', header, place: place ?? 0 }
      ]
      for (const one of evidence) assert.notEqual(bring(world, one), '')
    }),
    { numRuns: 150 }
  )
  assert.deepEqual(punishments(world), [])
})

test('the rules by which a header is judged are those by which it is refused', () => {
  const world = slashingWorld()
  const headers = fc.record({
    round: fc.integer({ min: 0, max: 3 }),
    eventCount: fc.constantFrom(0, 1, 1024, 1025),
    parents: fc.array(
      fc.record({ round: fc.integer({ min: 0, max: 3 }), author: fc.nat(4), digest: fc.constant(digest) }),
      { maxLength: 5 }
    )
  })
  fc.assert(
    fc.property(headers, changes => {
      const made = vertex(world, changes)
      const header = { ...baseHeader, ...changes }
      const none = { digest, headerBytes: encodeHeader(header), signature: new Uint8Array(64), body: new Uint8Array(0) }
      const fault = staticFault({ ...none, header }, world.genesis.committee, world.genesis.parameters)
      const refusal = bring(world, { kind: 'header', header: headerOf(made.header) })
      assert.equal(refusal, fault === undefined ? 'EVIDENCE_NO_FAULT' : '')
      world.state.delete(invalidOffenceKey(0, accountOf(validatorKey(offender))))
    }),
    { numRuns: 150 }
  )
})

test('whatever bytes come, evidence of this kind is read or refused by name', () => {
  const world = slashingWorld()
  const { header } = vertex(world, { parents: [] })
  refusesOnlyByName(
    readInvalidEvidence,
    [encodeInvalidEvidence({ kind: 'header', header: headerOf(header) })],
    'EVIDENCE_INVALID'
  )
})
