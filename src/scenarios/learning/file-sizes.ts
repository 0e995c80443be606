import {
  type CodecName,
  codecNamed,
  type DeltaFileHeader,
  digestOfValues,
  packDeltaFile,
  tileElements,
  tileLayouts
} from '../../tiles/index.ts'
import { createRandom } from '../seeded-random.ts'

/** Bytes of the files of a round, made by the real codecs out of a tile that looks like a delta. */
export type FileSizes = {
  /** fp32, of so many tiles. */
  raw(tiles: number): number
  file(codec: CodecName, tiles: number): number
}

export const tileSizeBytes = 4 * tileElements
const side = 1024
/** Nodes of the IPFS object beside the data: the root, and one for each 4 MiB with 16 links. */
const rootNodeBytes = 200
const tileNodeBytes = 900
/** A direction that all share, as low rank, and noise of each value: what several steps of AdamW leave. */
const sharedRank = 4
const noiseShare = 0.3

export function createFileSizes(): FileSizes {
  const known = new Map<string, number>()
  const frames = new Map<CodecName, Uint8Array>()
  const [layout] = tileLayouts([{ rows: side, columns: side, offset: 0 }], tileElements)
  const delta = likeDelta()
  const frameOf = (codec: CodecName): Uint8Array => {
    const made = frames.get(codec) ?? codecNamed(codec).encode(delta, layout!).bytes
    frames.set(codec, made)
    return made
  }
  return {
    raw: tiles => tiles * tileSizeBytes,
    file: (codec, tiles) => {
      const name = `${codec} ${tiles}`
      const sizeBytes = known.get(name) ?? sizeOf(codec, tiles, frameOf(codec))
      known.set(name, sizeBytes)
      return sizeBytes + rootNodeBytes + Math.ceil(sizeBytes / tileSizeBytes) * tileNodeBytes
    }
  }
}

function sizeOf(codec: CodecName, tiles: number, bytes: Uint8Array): number {
  const account = 'x'.repeat(60)
  const header: DeltaFileHeader = {
    network: account,
    model: 'genesis',
    kind: 'delta',
    round: 1,
    baseRound: 1,
    codec,
    steps: 30,
    tokens: 100_000,
    author: account
  }
  const decodedDigest = digestOfValues(new Float32Array(1))
  const frames = Array.from({ length: tiles }, (_, tile) => ({
    part: `layer0.expert${tile}`,
    tile: 0,
    base: account,
    length: tileElements,
    codec,
    bytes,
    decodedDigest
  }))
  return packDeltaFile(header, frames).length
}

function likeDelta(): Float32Array {
  const random = createRandom(1, 'delta')
  const draw = (): Float32Array => Float32Array.from({ length: side }, () => random.next() - 0.5)
  const factors = Array.from({ length: sharedRank }, () => [draw(), draw()] as const)
  const values = new Float32Array(tileElements)
  for (let at = 0; at < values.length; at++) values[at] = (noiseShare * (random.next() - 0.5)) / 100
  for (const [left, right] of factors)
    for (let row = 0; row < side; row++)
      for (let column = 0; column < side; column++) values[row * side + column]! += (left[row]! * right[column]!) / 100
  return values
}
