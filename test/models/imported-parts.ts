/** All parts of an imported folder in memory; for tiny models only. */
import type { ArchitectureV2, PartDescription, Precision } from '../../src/experts/index.ts'
import { completeCheckpoint } from '../../src/models/checkpoint.ts'
import { readCheckpointHead } from '../../src/models/checkpoint-head.ts'
import { partChunks } from '../../src/models/part-stream.ts'
import { createWeightReader } from '../../src/models/weight-reader.ts'

export type ImportedParts = {
  readonly architecture: ArchitectureV2
  readonly tokenizer: Uint8Array | null
  readonly parts: readonly { readonly description: PartDescription; readonly data: Uint8Array }[]
  readonly largestPieceBytes: number
}

/** In this thread: a thread of its own loads half the program first, and most tests make many of these. */
export async function importParts(folder: string, precision: Precision): Promise<ImportedParts> {
  const checkpoint = await completeCheckpoint(folder, await readCheckpointHead(folder, precision))
  const reader = createWeightReader(folder)
  let largestPieceBytes = 0
  try {
    const parts = checkpoint.parts.map((description, i) => {
      const pieces = [...partChunks(description, checkpoint.matrices[i]!, reader)]
      largestPieceBytes = Math.max(largestPieceBytes, ...pieces.map(piece => piece.length))
      return { description, data: new Uint8Array(Buffer.concat(pieces)) }
    })
    return { architecture: checkpoint.architecture, tokenizer: checkpoint.tokenizer, parts, largestPieceBytes }
  } finally {
    reader.close()
  }
}
