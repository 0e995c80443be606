import { BlyanError } from '../errors/index.ts'
import { type DeltaFile, openDeltaFile, type TensorStore } from '../tiles/index.ts'
import type { Reveal } from './chain/index.ts'
import type { ModelParts } from './model-parts.ts'
import { fetchBytes } from './stored-bytes.ts'

export type DeltaReaderNeeds = {
  readonly tensors: Pick<TensorStore, 'fetchTensor'>
  /** CID of the genesis file. */
  readonly network: string
  readonly parts: ModelParts
}

export type ReadDelta = {
  readonly network: string
  readonly parts: ModelParts
  readonly kind: 'delta' | 'update'
  readonly author: string
  readonly sizeBytesMax: number
  /** The tensor a part's change is of; undefined where it cannot be told any more. */
  readonly tensorOf: (name: string) => string | undefined
}

/** Opens a file of changes and checks all that can be checked before decoding. Throws DELTA_* codes. */
export function openChanges(bytes: Uint8Array, wanted: ReadDelta): DeltaFile {
  const { network, parts, kind, author, sizeBytesMax, tensorOf } = wanted
  const file = openDeltaFile(bytes, {
    network,
    model: parts.model,
    partOf: name => {
      const part = parts.named(name)
      const tensor = tensorOf(name)
      return part === undefined || tensor === undefined ? undefined : { tensor, layouts: part.layouts }
    },
    sizeBytesMax
  })
  if (file.header.kind !== kind) throw invalid(`it is a file of kind ${file.header.kind}`)
  if (file.header.author !== author) throw invalid('another account made it')
  return file
}

/** What a learner revealed, within the size it gave on chain. Throws DELTA_* codes, and as fetchTensor does. */
export async function readReveal(
  needs: DeltaReaderNeeds,
  reveal: Reveal,
  options: {
    readonly tensorOf: (name: string) => string | undefined
    readonly timeoutMs: number
    readonly signal?: AbortSignal | undefined
  }
): Promise<DeltaFile> {
  const bytes = await fetchBytes(needs.tensors, reveal.delta, 'delta', {
    sizeBytesMax: reveal.sizeBytes,
    timeoutMs: options.timeoutMs,
    signal: options.signal
  })
  const file = openChanges(bytes, {
    network: needs.network,
    parts: needs.parts,
    kind: 'delta',
    author: reveal.account,
    sizeBytesMax: reveal.sizeBytes,
    tensorOf: options.tensorOf
  })
  if (file.header.baseRound !== reveal.baseRound) throw invalid('it starts from another round than was committed')
  return file
}

function invalid(reason: string): BlyanError {
  return new BlyanError('DELTA_INVALID', { reason })
}
