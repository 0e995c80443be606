import { hexToBytes } from '../codec/index.ts'
import { decodeCommit } from '../consensus/index.ts'
import { BlyanError } from '../errors/index.ts'
import { type Database, tableKey, tableRange } from '../storage/index.ts'
import { chainIds } from './core/block.ts'
import type { Checkpoint } from './core/checkpoint.ts'
import { cursorKey, type Executor } from './core/executor.ts'
import type { StateMemory } from './core/state.ts'
import { cursorBefore, numberKey } from './snapshot-checker.ts'
import { type SnapshotEntry, snapshotLimits } from './snapshot-format.ts'

/** The state as it was when a checkpoint's root was taken, in the order of its keys. */
export type StateSource = AsyncIterable<readonly [Uint8Array, Uint8Array]>

/** All entries of a snapshot, in order. `database` may have gone on beyond the checkpoint. */
export async function* snapshotEntries(
  database: Database,
  checkpoint: Checkpoint,
  gcDepthRounds: number,
  state: StateSource,
  partHeight: number
): AsyncGenerator<SnapshotEntry> {
  for (let index = 0; index < partHeight; index++) {
    const digest = await database.get(tableKey('i', 'B', index))
    yield ['b', numberKey(index), await blockOf(database, digest, `block ${index} of chain B`)]
  }
  for (const [index, bytes] of await commitWindow(database, checkpoint, gcDepthRounds))
    yield ['c', numberKey(index), bytes]
  for (const [place, chain] of chainIds.entries()) {
    const head = checkpoint.chainHeads[place]!
    if (chain === 'B' || head === null) continue
    yield ['h', Buffer.from(chain), await blockOf(database, hexToBytes(head)!, `the head of chain ${chain}`)]
  }
  for await (const [key, value] of state) {
    const isCursor = Buffer.compare(key, cursorKeyBytes) === 0
    yield ['x', key, isCursor ? cursorBefore(value, checkpoint.previous) : value]
  }
}

const cursorKeyBytes = Buffer.from(cursorKey)

/** What is stored, with the entries that changed since put back as they were. */
export async function* storedState(database: Database, memory: StateMemory): StateSource {
  const changed = [...memory].map(([key, value]) => [Buffer.from(key), value] as const)
  changed.sort(([a], [b]) => Buffer.compare(a, b))
  let next = 0
  for await (const [fullKey, value] of database.range(tableRange('x'))) {
    const key = fullKey.subarray(1)
    let isChanged = false
    for (; next < changed.length; next++) {
      const order = Buffer.compare(changed[next]![0], key)
      if (order > 0) break
      isChanged ||= order === 0
      const [changedKey, before] = changed[next]!
      if (before !== undefined) yield [changedKey, before]
    }
    if (!isChanged) yield [key, value]
  }
  for (; next < changed.length; next++) {
    const [key, before] = changed[next]!
    if (before !== undefined) yield [key, before]
  }
}

/** The state of an executor that stands at the checkpoint. */
export async function* executedState(executor: Executor): StateSource {
  const entries = [...executor.state.entries()].map(([key, value]) => [Buffer.from(key), value] as const)
  entries.sort(([a], [b]) => Buffer.compare(a, b))
  yield* entries
}

/**
 * Who restores from a snapshot must know which vertices above the garbage-collection round are committed, and who had
 * been present: commits back to the first at or below that round, and at least 64.
 */
async function commitWindow(
  database: Database,
  checkpoint: Checkpoint,
  gcDepthRounds: number
): Promise<[number, Uint8Array][]> {
  const window: [number, Uint8Array][] = []
  let gcRound = 0
  for (let index = checkpoint.commitIndex; index > 0; index--) {
    const bytes = await database.get(tableKey('c', index))
    if (bytes === undefined) throw new BlyanError('CHAIN_DAMAGED', { reason: `commit ${index} is missing` })
    const { round } = decodeCommit(bytes)
    if (window.length === 0) gcRound = round - gcDepthRounds
    window.push([index, bytes])
    if (round <= gcRound && window.length >= snapshotLimits.commitsMin) break
  }
  return window.reverse()
}

async function blockOf(database: Database, digest: Uint8Array | undefined, name: string): Promise<Uint8Array> {
  const bytes = digest === undefined ? undefined : await database.get(tableKey('b', digest))
  if (bytes === undefined) throw new BlyanError('CHAIN_DAMAGED', { reason: `${name} is missing` })
  return bytes
}
