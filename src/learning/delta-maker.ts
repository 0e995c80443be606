import {
  type CodecName,
  codecForTile,
  type DeltaFileHeader,
  type DeltaFrame,
  digestOfValues,
  encodeWithFeedback,
  type Feedback,
  type FeedbackStore,
  packDeltaFile,
  tileElements
} from '../tiles/index.ts'
import type { ModelParts } from './model-parts.ts'

export type MadeDelta = {
  readonly bytes: Uint8Array
  /** Keeps what the codec left out, once the delta counts; what was kept before is gone then. */
  keepFeedback(): Promise<void>
}

/**
 * One file of what was trained: each part's change with what earlier deltas left out of it, tile by tile. Parts that did
 * not change are left away. Gives way to other work between tiles.
 */
export async function makeDelta(input: {
  readonly header: DeltaFileHeader
  readonly parts: ModelParts
  /** By the name on chain. */
  readonly changes: ReadonlyMap<string, Float32Array>
  /** Tensors that were changed, by the name on chain. */
  readonly bases: ReadonlyMap<string, string>
  readonly feedback: FeedbackStore
}): Promise<MadeDelta> {
  const { header, parts, changes, bases, feedback } = input
  const frames: DeltaFrame[] = []
  const kept: { readonly part: string; readonly tile: number; readonly feedback: Feedback }[] = []
  for (const { name, layouts } of parts.all) {
    const change = changes.get(name)
    if (change === undefined || change.every(value => value === 0)) continue
    for (const [tile, layout] of layouts.entries()) {
      const codec = codecForTile(header.codec, layout)
      const values = change.subarray(tile * tileElements, tile * tileElements + layout.length)
      const before = codec.usesErrorFeedback ? await feedback.read(header.model, name, tile) : undefined
      const encoded = encodeWithFeedback(codec, values, layout, before)
      if (codec.usesErrorFeedback) kept.push({ part: name, tile, feedback: encoded.feedback })
      frames.push(frameOf(name, tile, bases.get(name)!, codec.name, encoded))
      await new Promise(resolve => setImmediate(resolve))
    }
  }
  return {
    bytes: packDeltaFile(header, frames),
    async keepFeedback() {
      for (const one of kept) await feedback.write(header.model, one.part, one.tile, one.feedback)
    }
  }
}

function frameOf(
  part: string,
  tile: number,
  base: string,
  codec: CodecName,
  { bytes, decoded }: { readonly bytes: Uint8Array; readonly decoded: Float32Array }
): DeltaFrame {
  return { part, tile, base, length: decoded.length, codec, bytes, decodedDigest: digestOfValues(decoded) }
}
