/** A chain and a store with the real handlers and files, and no network: what an importer stands on. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Executor } from '../../src/dag/core/executor.ts'
import { BlyanError, type ErrorCode } from '../../src/errors/index.ts'
import { createHandlers } from '../../src/node/event-handlers.ts'
import type { ImportLine } from '../../src/node/models/import-types.ts'
import { createModelImporter, type ModelImporter } from '../../src/node/models/model-import.ts'
import { openReferenceBlockstore } from '../../src/storage/index.ts'
import { createTensorStore, type TensorStore } from '../../src/tiles/index.ts'
import { accountOf, alice, genesisFile, SmallNetwork } from '../dag/small-network.ts'

export type ImportedNetwork = {
  readonly folder: string
  readonly executor: Executor
  readonly tensors: TensorStore
  readonly importer: ModelImporter
  /** Types of the events that became final. */
  readonly events: string[]
  /** Names of all files of tensors. */
  files(): Promise<string[]>
  close(): Promise<void>
}

export async function createImportedNetwork(account = accountOf(alice)): Promise<ImportedNetwork> {
  const folder = await mkdtemp(join(tmpdir(), 'blyan-imported-'))
  const tensorsFolder = join(folder, 'tensors')
  const blockstore = await openReferenceBlockstore({ blocksFolder: join(folder, 'blocks'), tensorsFolder })
  const tensors = await createTensorStore({ blockstore })
  const small = new SmallNetwork(genesisFile())
  const handlers = createHandlers(small.genesis)
  const executor = new Executor({ genesis: small.genesis, handlers })
  const events: string[] = []
  const importer = createModelImporter({
    chains: { state: executor.state, parts: executor.parts },
    tensors,
    handlers,
    account,
    folder: join(folder, 'imports'),
    requireFreeBytes: async () => {},
    events: {
      submit: async request => {
        if ('signedEvent' in request) throw new Error('imports are signed by the node')
        const event = small.event(alice, request.type, request.payload)
        const { refusal, block, sequence } = executor.execute(small.commit(event)).events[0]!
        if (refusal !== '') throw new BlyanError(refusal as ErrorCode)
        events.push(request.type)
        return { eventId: '', final: true, finality: 'final', sequence, block, missing: [], elapsedMs: 0 }
      }
    }
  })
  return {
    folder,
    executor,
    tensors,
    importer,
    events,
    files: async () => (await readdir(tensorsFolder, { recursive: true })).sort(),
    close: async () => {
      await tensors.close()
      await blockstore.close()
      await rm(folder, { recursive: true })
    }
  }
}

export async function linesOf(lines: AsyncIterable<ImportLine>): Promise<ImportLine[]> {
  const all: ImportLine[] = []
  for await (const line of lines) all.push(line)
  return all
}
