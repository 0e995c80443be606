import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCommittee } from '../../src/consensus/core/committee.ts'
import { sequencesPerKept, VoteBook } from '../../src/consensus/core/votes.ts'
import { committeeOf } from './dag-builder.ts'

const [ours, theirs, another] = ['aa', 'bb', 'cc'].map(pair => pair.repeat(32)) as [string, string, string]
const vote = (sequence: number, digest: string) => ({ sequence, digest, signature: new Uint8Array(64) })

test('a quorum of equal signatures certifies, and carries those signatures only', () => {
  const book = new VoteBook(committeeOf(4), 0)
  book.addOwn(1, ours)
  assert.equal(book.add(0, vote(1, ours)).kind, 'counted')
  assert.equal(book.add(1, vote(1, theirs)).kind, 'counted')
  assert.equal(book.add(2, vote(1, ours)).kind, 'counted')
  const outcome = book.add(3, vote(1, ours))
  assert.equal(outcome.kind, 'certified')
  assert.deepEqual(outcome.kind === 'certified' && outcome.certificate.votes.map(({ author }) => author), [0, 2, 3])
  assert.equal(book.certifiedSequence, 1)
})

test('signatures that came before our own computation count once it is done', () => {
  const book = new VoteBook(committeeOf(4), 0)
  for (const author of [1, 2, 3]) assert.equal(book.add(author, vote(1, ours)).kind, 'counted')
  assert.equal(book.addOwn(1, ours).kind, 'certified')
})

test('one author counts once, whatever it sends', () => {
  const book = new VoteBook(committeeOf(4), 0)
  book.addOwn(1, ours)
  for (let i = 0; i < 5; i++) assert.equal(book.add(0, vote(1, ours)).kind, 'counted')
  for (let i = 0; i < 5; i++) assert.equal(book.add(0, vote(1, theirs)).kind, 'counted')
  assert.equal(book.signers(1), 1)
})

test('a quorum is weighed', () => {
  const book = new VoteBook(committeeOf([5, 1, 1, 1]), 0)
  book.addOwn(1, ours)
  for (const author of [1, 2, 3]) assert.equal(book.add(author, vote(1, ours)).kind, 'counted')
  assert.equal(book.add(0, vote(1, ours)).kind, 'certified')
})

test('as many as may be faulty raise no alarm, one more does', () => {
  const book = new VoteBook(committeeOf(7), 0)
  book.addOwn(1, ours)
  assert.equal(book.add(1, vote(1, theirs)).kind, 'counted')
  assert.equal(book.add(2, vote(1, theirs)).kind, 'counted')
  assert.deepEqual(book.add(3, vote(1, theirs)), { kind: 'diverged', sequence: 1, ours, theirs })
})

test('the alarm rises when everybody computes something else', () => {
  const book = new VoteBook(committeeOf(4), 0)
  book.addOwn(1, ours)
  assert.equal(book.add(1, vote(1, theirs)).kind, 'counted')
  assert.equal(book.add(2, vote(1, another)).kind, 'diverged')
})

test('the alarm rises when our computation comes last', () => {
  const book = new VoteBook(committeeOf(4), 0)
  for (const author of [1, 2]) book.add(author, vote(1, theirs))
  assert.equal(book.addOwn(1, ours).kind, 'diverged')
})

test('a certificate that we were promised and compute differently is an alarm', () => {
  const book = new VoteBook(committeeOf(4), 0)
  book.skipTo(5, theirs)
  assert.equal(book.addOwn(5, ours).kind, 'diverged')
  const right = new VoteBook(committeeOf(4), 0)
  right.skipTo(5, theirs)
  assert.equal(right.addOwn(5, theirs).kind, 'counted')
})

test('votes far ahead of what is computed and behind what is certified are not kept', () => {
  const book = new VoteBook(committeeOf(4), 10)
  for (let sequence = 1; sequence <= 5000; sequence++) book.add(1, vote(sequence, ours))
  let kept = 0
  for (let sequence = 1; sequence <= 5000; sequence++) kept += book.signers(sequence)
  assert.equal(kept, 64)
})

test('what is certified is forgotten', () => {
  const book = new VoteBook(committeeOf(1), 0)
  for (let sequence = 1; sequence <= 100; sequence++) {
    book.addOwn(sequence, ours)
    assert.equal(book.add(0, vote(sequence, ours)).kind, 'certified')
    assert.equal(book.signers(sequence), 0)
  }
  assert.deepEqual([book.ownSequence, book.certifiedSequence], [100, 100])
})

const three = createCommittee(
  0,
  committeeOf(3).validators.map(validator => ({ ...validator })),
  { degraded: 'crash' }
)

test('where two of three order, their signatures are told once, and only all three certify', () => {
  const book = new VoteBook(three, 0)
  book.addOwn(1, ours)
  assert.equal(book.add(0, vote(1, ours)).kind, 'counted')
  const ordered = book.add(1, vote(1, ours))
  assert.equal(ordered.kind, 'ordered')
  assert.deepEqual(ordered.kind === 'ordered' && ordered.certificate.votes.map(({ author }) => author), [0, 1])
  assert.equal(book.add(1, vote(1, ours)).kind, 'counted')
  assert.deepEqual(
    [0, 1, 2].map(author => book.hasSignedNewest(author)),
    [true, true, false]
  )
  assert.equal(book.certifiedSequence, 0)
  assert.equal(book.add(2, vote(1, ours)).kind, 'certified')
  assert.ok(book.hasSignedNewest(2))
})

test('where a quorum orders there is nothing between counting and certifying', () => {
  const book = new VoteBook(committeeOf(3), 0)
  book.addOwn(1, ours)
  for (const author of [0, 1]) assert.equal(book.add(author, vote(1, ours)).kind, 'counted')
  assert.equal(book.add(2, vote(1, ours)).kind, 'certified')
})

test('a member that is away for long costs little memory, and certifies all that is covered when it is back', () => {
  const book = new VoteBook(three, 0)
  const long = 20_000
  for (let sequence = 1; sequence <= long; sequence++) {
    book.addOwn(sequence, ours)
    for (const author of [0, 1]) book.add(author, vote(sequence, ours))
  }
  const keptOld = Array.from({ length: long }, (_, index) => index + 1).filter(sequence => book.signers(sequence) > 0)
  assert.ok(keptOld.length <= long / sequencesPerKept + 200, `${keptOld.length} are kept`)
  // One in so many of the old ones, so that a proof spans few checkpoints; all of the newest.
  assert.ok(keptOld.slice(0, -200).every(sequence => sequence % sequencesPerKept === 0))
  assert.equal(book.add(2, vote(64, ours)).kind, 'certified')
  assert.equal(book.add(2, vote(long - 500, ours)).kind, 'counted')
  assert.equal(book.add(2, vote(long, ours)).kind, 'certified')
  assert.equal(book.certifiedSequence, long)
  assert.equal(book.signers(long - 1), 0)
})

test('what those who order promise is compared with what is computed, and certifies nothing', () => {
  const book = new VoteBook(three, 0)
  book.expect(2, theirs)
  assert.equal(book.certifiedSequence, 0)
  book.addOwn(1, ours)
  assert.deepEqual(book.addOwn(2, ours), { kind: 'diverged', sequence: 2, ours, theirs })
})

test('a certificate of somebody else counts for a checkpoint computed here, and shows when it was computed otherwise', () => {
  const book = new VoteBook(committeeOf(4), 0)
  book.addOwn(1, 'aa')
  assert.deepEqual(book.confirm({ sequence: 1, digest: 'bb' }), {
    kind: 'diverged',
    sequence: 1,
    ours: 'aa',
    theirs: 'bb'
  })
  assert.equal(book.certifiedSequence, 0)
  assert.deepEqual(book.confirm({ sequence: 1, digest: 'aa' }), { kind: 'counted' })
  assert.equal(book.certifiedSequence, 1)
})
