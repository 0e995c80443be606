import type { Vote } from '../consensus/index.ts'
import { type Database, tableKey, tableRange } from '../storage/index.ts'
import { decodeVotes, numberAt } from './chain-records.ts'
import { decodeCheckpoint } from './core/checkpoint.ts'
import { firstCheckpointAt } from './proof-source.ts'

export type ServedCheckpoint = { readonly checkpoint: Uint8Array; readonly votes: readonly Vote[] }

/**
 * The checkpoint up to which commits are handed to somebody who has all before `commitIndex`: the first that a quorum has
 * signed. Where the next of those is too far, because less than a quorum ordered for a while, the newest within
 * `commitsMax` that those who order have signed.
 */
export async function servedCheckpoint(
  database: Database,
  commitIndex: number,
  commitsMax: number
): Promise<ServedCheckpoint | undefined> {
  const first = await firstCheckpointAt(database, commitIndex)
  if (first === undefined) return undefined
  const certified = await nearest(database, 'q', first)
  const isNear = certified !== undefined && commitOf(certified) - commitIndex < commitsMax
  return isNear ? certified : ((await newestOrdered(database, first, commitIndex + commitsMax - 1)) ?? certified)
}

async function newestOrdered(
  database: Database,
  first: number,
  commitIndexMax: number
): Promise<ServedCheckpoint | undefined> {
  const opening = await database.get(tableKey('k', first))
  const last = await lastCheckpointUpTo(database, commitIndexMax)
  if (opening === undefined || last === undefined || last < first) return undefined
  const range = { from: tableKey('o', first), to: tableKey('o', last + 1) }
  const { epoch } = decodeCheckpoint(opening)
  for await (const [key, votes] of database.range({ ...range, reverse: true, limit: 1 })) {
    const found = await served(database, numberAt(key, 1), votes)
    // Those who catch up read one epoch at a time.
    if (found !== undefined && decodeCheckpoint(found.checkpoint).epoch === epoch) return found
  }
  const next = await nearest(database, 'o', first)
  return next !== undefined && commitOf(next) <= commitIndexMax ? next : undefined
}

async function nearest(database: Database, table: 'q' | 'o', first: number): Promise<ServedCheckpoint | undefined> {
  const range = { from: tableKey(table, first), to: tableRange(table).to, limit: 1 }
  for await (const [key, votes] of database.range(range)) return served(database, numberAt(key, 1), votes)
  return undefined
}

async function lastCheckpointUpTo(database: Database, commitIndex: number): Promise<number | undefined> {
  const range = { from: tableRange('j').from, to: tableKey('j', commitIndex + 1), reverse: true, limit: 1 }
  for await (const [, value] of database.range(range)) return numberAt(value, 0)
  return undefined
}

async function served(database: Database, sequence: number, votes: Uint8Array): Promise<ServedCheckpoint | undefined> {
  const checkpoint = await database.get(tableKey('k', sequence))
  return checkpoint === undefined ? undefined : { checkpoint, votes: decodeVotes(votes) }
}

function commitOf({ checkpoint }: ServedCheckpoint): number {
  return decodeCheckpoint(checkpoint).commitIndex
}
