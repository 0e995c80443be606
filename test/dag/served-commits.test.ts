import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { encodeCanonical } from '../../src/codec/index.ts'
import { decodeCheckpoint, encodeCheckpoint } from '../../src/dag/core/checkpoint.ts'
import { servedCheckpoint } from '../../src/dag/served-commits.ts'
import { type Database, openDatabase, tableKey } from '../../src/storage/index.ts'

const commitsPerCheckpoint = 10
const commitsMax = 100
const digest = '00'.repeat(32)

/** Checkpoints 1, 2, 3, ... of ten commits each, with the signatures that are named. */
async function checkpoints(
  t: TestContext,
  count: number,
  signed: { certified: readonly number[]; ordered: readonly number[]; epochOf?: (sequence: number) => number }
): Promise<Database> {
  const folder = mkdtempSync(join(tmpdir(), 'blyan-served-'))
  const database = await openDatabase(join(folder, 'db'))
  t.after(async () => {
    await database.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const votes = (authors: readonly number[]) => encodeCanonical(authors.map(author => [author, new Uint8Array(64)]))
  const sequences = Array.from({ length: count }, (_, index) => index + 1)
  await database.write(
    [
      ...sequences.flatMap(sequence => [
        { key: tableKey('k', sequence), value: checkpointBytes(sequence, signed.epochOf?.(sequence) ?? 0) },
        { key: tableKey('j', sequence * commitsPerCheckpoint), value: tableKey('', sequence) }
      ]),
      ...signed.certified.map(sequence => ({ key: tableKey('q', sequence), value: votes([0, 1, 2]) })),
      ...signed.ordered.map(sequence => ({ key: tableKey('o', sequence), value: votes([0, 1]) }))
    ],
    { durable: false }
  )
  return database
}

function checkpointBytes(sequence: number, epoch: number): Uint8Array {
  return encodeCheckpoint({
    epoch,
    sequence,
    commitIndex: sequence * commitsPerCheckpoint,
    commitDigest: digest,
    previous: digest,
    eventFirst: 1,
    eventCount: 0,
    eventRoot: digest,
    stateRoot: digest,
    chainHeads: [null, null, null, null],
    timestampMs: sequence
  })
}

async function servedFrom(database: Database, commitIndex: number): Promise<[number, number] | undefined> {
  const found = await servedCheckpoint(database, commitIndex, commitsMax)
  return found === undefined ? undefined : [decodeCheckpoint(found.checkpoint).sequence, found.votes.length]
}

const from = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index)

test('what a quorum has signed is served first, and the next of it', async t => {
  const database = await checkpoints(t, 9, { certified: [2, 5, 9], ordered: from(1, 9) })
  assert.deepEqual(await servedFrom(database, 1), [2, 3])
  assert.deepEqual(await servedFrom(database, 21), [5, 3])
  assert.deepEqual(await servedFrom(database, 60), [9, 3])
  assert.equal(await servedFrom(database, 91), undefined)
})

test('where a quorum has signed nothing for long, those who ordered say how far, in steps as large as may be', async t => {
  const database = await checkpoints(t, 40, { certified: [1, 40], ordered: from(2, 39) })
  assert.deepEqual(await servedFrom(database, 1), [1, 3])
  // 100 commits at most: 11 to 110.
  assert.deepEqual(await servedFrom(database, 11), [11, 2])
  assert.deepEqual(await servedFrom(database, 111), [21, 2])
  assert.deepEqual(await servedFrom(database, 381), [40, 3])
})

test('nothing is served that nobody signed, nor across the end of an epoch', async t => {
  const bare = await checkpoints(t, 5, { certified: [], ordered: [] })
  assert.equal(await servedFrom(bare, 1), undefined)
  const two = await checkpoints(t, 8, {
    certified: [],
    ordered: from(1, 8),
    epochOf: sequence => (sequence <= 3 ? 0 : 1)
  })
  const [sequence] = (await servedFrom(two, 1))!
  assert.ok(sequence <= 3)
  assert.deepEqual(await servedFrom(two, 31), [8, 2])
})
