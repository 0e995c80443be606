import { BlyanError } from '../../src/errors/index.ts'
import type { ImportLine, ImportRequest } from '../../src/node/index.ts'

/** Refuses a folder called `empty`, as the node refuses one it cannot read. */
export async function* importLines({ folder, name, precision, signal }: ImportRequest): AsyncIterable<ImportLine> {
  if (folder === '/empty') throw new BlyanError('CHECKPOINT_UNREADABLE', { path: folder, reason: 'nothing there' })
  const model = name ?? 'tiny'
  yield { kind: 'plan', model, precision, parts: 2, partsHere: 0, sourceBytes: 20, partBytes: 10 }
  for (const phase of ['weights', 'events'] as const) {
    for (let partsDone = 1; partsDone <= 2; partsDone++) {
      if (signal.aborted) throw new BlyanError('IMPORT_STOPPED')
      yield { kind: 'progress', phase, partsDone, parts: 2, bytesDone: 10 * partsDone, bytes: 20 }
    }
  }
  yield { kind: 'done', model, block: 'bafymodel', parts: 2, partBytes: 10, elapsedMs: 5 }
}
