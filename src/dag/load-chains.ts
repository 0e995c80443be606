import { BlyanError } from '../errors/index.ts'
import { type Database, tableRange } from '../storage/index.ts'
import {
  blockWrites,
  lastOf,
  leavesAfter,
  numberAt,
  type StoredCheckpoint,
  stateWrites,
  storedParts
} from './chain-records.ts'
import { cursorKey, Executor } from './core/executor.ts'
import type { Genesis } from './core/genesis.ts'
import type { HandlerRegistry } from './core/handlers.ts'
import type { State } from './core/state.ts'
import { genesisWrite, type History, readHistory, requireSameGenesis } from './database-notes.ts'
import { type EpochBook, openEpochBook } from './epoch-records.ts'
import { cursorBefore } from './snapshot-checker.ts'

/** Everything of the chains that a database holds, in memory. */
export type LoadedChains = {
  readonly executor: Executor
  readonly epochs: EpochBook
  readonly last: StoredCheckpoint | undefined
  readonly certified: StoredCheckpoint | undefined
  readonly history: History
}

type LoadNeeds = { readonly genesis: Genesis; readonly handlers: HandlerRegistry; readonly database: Database }

/** More commits than this are not looked through for gaps when a node starts. */
const commitsCheckedMax = 20_000

/**
 * Reads what is stored, or begins at genesis. What does not fit together is not used: a state that lacks a write would
 * make this node sign what nobody else does. Throws CHAIN_DAMAGED, DATABASE_RECORD_DAMAGED, GENESIS_CHANGED.
 */
export async function loadChains(needs: LoadNeeds): Promise<LoadedChains> {
  const { genesis, handlers, database } = needs
  await requireSameGenesis(database, genesis)
  const entries: [string, Uint8Array][] = []
  for await (const [key, value] of database.range(tableRange('x')))
    entries.push([new TextDecoder().decode(key.subarray(1)), value])
  const lastCommit = await lastCommitWithoutGap(database)
  if (entries.length === 0) {
    if (lastCommit > 0) throw damaged('there are commits and no state')
    return begin(needs)
  }
  if (!entries.some(([key]) => key === cursorKey)) throw damaged('the cursor of execution is missing')
  const last = await lastOf(database, 'k')
  const certified = await lastOf(database, 'q')
  const covered = last === undefined ? 0 : last.checkpoint.eventFirst + last.checkpoint.eventCount - 1
  const executor = new Executor({
    genesis,
    handlers,
    stored: { entries, parts: await storedParts(needs), leaves: await leavesAfter(database, covered) }
  })
  const executed = (last?.checkpoint.commitIndex ?? 0) + executor.cadence.commits
  if (executed !== lastCommit) throw damaged(`the state is of commit ${executed} and the last commit is ${lastCommit}`)
  requireStateRoot(executor, last)
  const epochs = await openEpochBook(genesis, database, certified?.checkpoint.sequence ?? 0)
  await database.write([genesisWrite(genesis)], { durable: false })
  return { executor, epochs, last, certified, history: await readHistory(database) }
}

async function begin({ genesis, handlers, database }: LoadNeeds): Promise<LoadedChains> {
  const executor = new Executor({ genesis, handlers })
  const writes = [...stateWrites(executor.state.takeChanges()), ...genesis.blocks.flatMap(blockWrites)]
  await database.write([...writes, genesisWrite(genesis)], { durable: true })
  const epochs = await openEpochBook(genesis, database, 0)
  return { executor, epochs, last: undefined, certified: undefined, history: await readHistory(database) }
}

/** Index of the last commit; a write that got lost before it leaves a gap. */
async function lastCommitWithoutGap(database: Database): Promise<number> {
  let last = 0
  let next: number | undefined
  for await (const key of database.keys({ ...tableRange('c'), reverse: true, limit: commitsCheckedMax })) {
    const index = numberAt(key, 1)
    last ||= index
    if (next !== undefined && index !== next - 1) throw damaged(`commit ${next - 1} is missing`)
    next = index
  }
  return last
}

/** Where the state stands at a checkpoint, its root says whether every entry is there. */
function requireStateRoot(executor: Executor, last: StoredCheckpoint | undefined): void {
  if (last === undefined || executor.cadence.commits > 0) return
  const { checkpoint } = last
  if (rootAtCheckpoint(executor.state, checkpoint.previous) !== checkpoint.stateRoot)
    throw damaged(`the state does not have the root of checkpoint ${checkpoint.sequence}`)
}

function rootAtCheckpoint(state: State, previous: string): string {
  const bytes = state.bytesOf(cursorKey)!
  state.setBytes(cursorKey, cursorBefore(bytes, previous))
  const root = state.root()
  state.setBytes(cursorKey, bytes)
  state.takeChanges()
  return root
}

function damaged(reason: string): BlyanError {
  return new BlyanError('CHAIN_DAMAGED', { reason })
}
