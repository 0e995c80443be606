import {
  type CodecName,
  codecNamed,
  codecNames,
  encodeWithFeedback,
  type TileLayout,
  tileElements,
  tileLayouts
} from '../src/tiles/index.ts'
import { measureCodecLoss } from './learning/codec-loss.ts'
import { median, type Options, plain, type Result } from './report.ts'

const encodeLimitMs = 20
const decodeLimitMs = 10
/** Rank 16 is the default for a tile that is one matrix of 1024 x 1024, rank 8 for the small matrices of the genesis model. */
const defaultOfTile: CodecName = 'lr16+k32'
const baseline = 'fp32, the same 4 MiB tile'

/**
 * Each codec on one tile of 4 MiB that is one matrix: ratio to fp32, time on one core beside a copy of the tile, and what it
 * costs in loss over a few rounds of a small model.
 */
export async function codecsSuite(options: Options): Promise<Result[]> {
  const [layout] = tileLayouts([{ offset: 0, rows: 1024, columns: 1024 }], tileElements)
  const delta = tileDelta()
  const results: Result[] = [memoryCopy(delta, options.quick ? 9 : 25)]
  for (const name of codecNames) {
    options.note(name)
    results.push(...measureCodec(name, delta, layout!, options.quick ? 7 : 21))
  }
  results.push(...(await measureCodecLoss(options)))
  return results
}

function measureCodec(name: CodecName, delta: Float32Array, layout: TileLayout, runs: number): Result[] {
  const codec = codecNamed(name)
  const encodes: number[] = []
  const decodes: number[] = []
  // As in rounds: with the feedback and the warm start of the round before.
  let { feedback } = encodeWithFeedback(codec, delta, layout, undefined)
  let sizeBytes = 0
  for (let run = -3; run < runs; run++) {
    const startedAtMs = performance.now()
    const { bytes } = codec.encode(delta, layout, feedback.warm)
    const encodedAtMs = performance.now()
    codec.decode(bytes, layout)
    const decodedAtMs = performance.now()
    feedback = encodeWithFeedback(codec, delta, layout, feedback).feedback
    sizeBytes = bytes.length
    if (run < 0) continue
    encodes.push(encodedAtMs - startedAtMs)
    decodes.push(decodedAtMs - encodedAtMs)
  }
  const isDefault = name === defaultOfTile
  return [
    plain(`codecs.${name}.ratio`, `times smaller than ${baseline}`, [(4 * tileElements) / sizeBytes]),
    plain(`codecs.${name}.encode`, 'ms', encodes),
    plain(`codecs.${name}.decode`, 'ms', decodes),
    ...(isDefault
      ? [bounded('codecs.encode', encodes, encodeLimitMs), bounded('codecs.decode', decodes, decodeLimitMs)]
      : [])
  ]
}

function memoryCopy(delta: Float32Array, runs: number): Result {
  const copy = new Float32Array(delta.length)
  const times = Array.from({ length: runs }, () => {
    const startedAtMs = performance.now()
    copy.set(delta)
    return performance.now() - startedAtMs
  })
  return plain('codecs.memcpy', 'ms', times)
}

function bounded(name: string, runs: readonly number[], limitMs: number): Result {
  const ratio = Number((limitMs / median(runs)).toPrecision(4))
  return {
    ...plain(name, `ms (${defaultOfTile}, one core)`, runs),
    limit: limitMs,
    limitName: 'asked of a 4 MiB tile',
    ratio
  }
}

/** A few directions, noise, and some values that stand out: what a learner's change of a matrix looks like. */
function tileDelta(): Float32Array {
  let state = 7
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    return state / 2 ** 31
  }
  const side = 1024
  const directions = 12
  const left = Float32Array.from({ length: side * directions }, () => next() + next() + next())
  const right = Float32Array.from({ length: side * directions }, () => next() + next() + next())
  return Float32Array.from({ length: tileElements }, (_, at) => {
    const [row, column] = [Math.floor(at / side), at % side]
    let sum = next() + next()
    for (let k = 0; k < directions; k++)
      sum += (left[row * directions + k]! * right[column * directions + k]!) / (k + 1)
    return sum * (at % 509 === 0 ? 5 : 1) * 1e-3
  })
}
