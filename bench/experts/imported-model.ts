import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createEngine, describeModel, type Engine, type PartFile, type Precision } from '../../src/experts/index.ts'
import { openCheckpointImport } from '../../src/models/index.ts'
import { openReferenceBlockstore } from '../../src/storage/index.ts'
import { createTensorStore } from '../../src/tiles/index.ts'
import { withTemporaryFolder } from '../temporary-folder.ts'

export const importedModel = 'imported'
const silent = { debug: () => {}, info: () => {}, warn: () => {} }

/** An engine that has mapped a Hugging Face folder, brought in the way `model import` does it. */
export function withImportedModel<T>(
  folder: string,
  { precision, threads }: { readonly precision: Precision; readonly threads: number },
  work: (engine: Engine) => Promise<T>
): Promise<T> {
  return withTemporaryFolder(async root => {
    const tensorsFolder = join(root, 'tensors')
    await mkdir(join(root, 'blocks'))
    const blockstore = await openReferenceBlockstore({ blocksFolder: join(root, 'blocks'), tensorsFolder })
    const store = await createTensorStore({ blockstore })
    const engine = createEngine({ tensorFolder: tensorsFolder, threads, logger: silent })
    const opened = await openCheckpointImport({ folder, precision })
    try {
      const { architecture } = opened.plan
      const described = describeModel(architecture)
      const parts: PartFile[] = []
      for await (const { part, data } of opened.read(described.map((_, place) => place))) {
        const { name, dtype, shape } = described[part]!
        const { path, dataOffsetBytes, dataLengthBytes } = await store.putTensor({ name, dtype, shape, data })
        parts.push({ name, path, dataOffsetBytes, dataLengthBytes, shape, dtype })
      }
      await engine.start()
      await engine.loadModel({ model: importedModel, architecture, parts, memoryBytesMax: 1 << 30 })
      return await work(engine)
    } finally {
      await engine.stop()
      await opened.close()
      await store.close()
      await blockstore.close()
    }
  })
}
