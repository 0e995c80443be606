import { bytesEqual, cidOfDigest, decodeCanonical, encodeCanonical, readNatural } from '../codec/index.ts'
import { decodeCommit } from '../consensus/index.ts'
import { BlyanError } from '../errors/index.ts'
import { type Database, tableKey, type Write } from '../storage/index.ts'
import type { Genesis } from './core/genesis.ts'

/** From where on this node has everything; below it only boundary checkpoints, chain B and what the state says. */
export type History = {
  /** First commit whose vertices and events are here; 1 when nothing is missing. */
  readonly firstCommit: number
  readonly firstEvent: number
  /** Sequence of the checkpoint that the history begins after; 0 for genesis. */
  readonly afterCheckpoint: number
}

export const wholeHistory: History = { firstCommit: 1, firstEvent: 1, afterCheckpoint: 0 }

const genesisKey = tableKey('m', 'genesis')
const historyKey = tableKey('m', 'history')

export function genesisWrite(genesis: Genesis): Write {
  return { key: genesisKey, value: genesis.digest }
}

/**
 * A database remembers whose it is: with another genesis file every signature in it would be wrong, and a validator
 * would sign for a network that it never joined. Throws GENESIS_CHANGED.
 */
export async function requireSameGenesis(database: Database, genesis: Genesis): Promise<void> {
  const stored = (await database.get(genesisKey)) ?? (await digestBefore(database))
  if (stored === undefined || bytesEqual(stored, genesis.digest)) return
  throw new BlyanError('GENESIS_CHANGED', {
    folder: database.folder,
    stored: cidOfDigest(stored).toString(),
    given: genesis.cid
  })
}

/** Databases of before this note: their first commit names genesis. */
async function digestBefore(database: Database): Promise<Uint8Array | undefined> {
  const first = await database.get(tableKey('c', 1))
  return first === undefined ? undefined : Buffer.from(decodeCommit(first).previous, 'hex')
}

export function historyWrite(history: History): Write {
  return {
    key: historyKey,
    value: encodeCanonical([history.firstCommit, history.firstEvent, history.afterCheckpoint])
  }
}

export async function readHistory(database: Database): Promise<History> {
  const bytes = await database.get(historyKey)
  if (bytes === undefined) return wholeHistory
  const [firstCommit, firstEvent, afterCheckpoint] = decodeCanonical(bytes, { sizeBytesMax: 64 }) as unknown[]
  return {
    firstCommit: readNatural(firstCommit, 'history'),
    firstEvent: readNatural(firstEvent, 'history'),
    afterCheckpoint: readNatural(afterCheckpoint, 'history')
  }
}
