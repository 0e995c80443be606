import {
  type CodecName,
  codecNamed,
  type DeltaFile,
  type DeltaFileHeader,
  type DeltaFrame,
  defaultAggregationRules,
  digestOfValues,
  packDeltaFile,
  partTensor,
  type Replayed,
  replayUpdate,
  type TensorInfo,
  type TensorStore
} from '../tiles/index.ts'
import type { AcceptedDelta } from './chain/index.ts'
import type { LearningPart } from './model-parts.ts'

/** What the codec of updates is: without memory, so that anybody can compute them again. */
export const updateCodec: CodecName = 'int8'
/** Of regions, on their way to the primary. */
export const edgeCodec: CodecName = 'int4'

/** Something that counts in a part: a learner's delta, or the sum of a region. */
export type PartSource = { readonly weightPpm: number; readonly file: DeltaFile }

export type PartOutcome = {
  readonly part: LearningPart
  readonly base: string
  /** CID of the next version; null where it stays as it is. */
  readonly tensor: string | null
  readonly frames: readonly DeltaFrame[]
  readonly values: Float32Array | null
  readonly frameBytes: number
}

/** The next version of one part, from what counts in it, in this order. The same bits on every machine. */
export async function computePart(input: {
  readonly part: LearningPart
  readonly base: TensorInfo
  readonly sources: readonly PartSource[]
  readonly codec?: CodecName
}): Promise<PartOutcome> {
  const { part, base, codec = updateCodec } = input
  const accepted = input.sources
    .filter(({ file, weightPpm }) => weightPpm > 0 && file.parts.includes(part.name))
    .map(({ file, weightPpm }) => ({ values: file.decode(part.name), weightPpm }))
  const unchanged = { part, base: base.cid, tensor: null, frames: [], values: null, frameBytes: 0 }
  if (accepted.length === 0) return unchanged
  const replayed: Replayed = await replayUpdate({
    base,
    accepted,
    layouts: part.layouts,
    rules: defaultAggregationRules,
    codec: codecNamed(codec)
  })
  if (replayed.tensor === null) return unchanged
  const frames = replayed.frames.map(({ tile, length, bytes, decoded }) => ({
    part: part.name,
    tile,
    base: base.cid,
    length,
    codec,
    bytes,
    decodedDigest: digestOfValues(decoded)
  }))
  const frameBytes = frames.reduce((sum, { bytes }) => sum + bytes.length, 0)
  return { part, base: base.cid, tensor: replayed.tensor, frames, values: replayed.values, frameBytes }
}

/** Accepted deltas with their files, in the order given; undefined where a file is missing. */
export function sourcesOf(
  accepted: readonly AcceptedDelta[],
  files: ReadonlyMap<string, DeltaFile>
): PartSource[] | undefined {
  const sources: PartSource[] = []
  for (const { delta, weightPpm } of accepted) {
    const file = files.get(delta)
    if (file === undefined) return undefined
    sources.push({ weightPpm, file })
  }
  return sources
}

/** Puts new versions into the store, so that others can fetch them. */
export async function storeVersions(
  tensors: Pick<TensorStore, 'putTensor' | 'info'>,
  outcomes: readonly PartOutcome[]
): Promise<void> {
  for (const { base, tensor, values } of outcomes) {
    const from = tensors.info(base)
    if (tensor === null || values === null || from === undefined) continue
    if (tensors.info(tensor) === undefined) await tensors.putTensor(partTensor(from, values))
  }
}

/** One update file of what several parts become. */
export function packUpdate(
  header: Omit<DeltaFileHeader, 'kind' | 'codec'> & { readonly codec?: CodecName },
  outcomes: readonly PartOutcome[]
): Uint8Array {
  return packDeltaFile(
    { ...header, kind: 'update', codec: header.codec ?? updateCodec },
    outcomes.flatMap(({ frames }) => frames)
  )
}
