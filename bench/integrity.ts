import { type Arithmetic, type ExpertWeights, expertTruth, rowDifference } from '../src/guardian/index.ts'
import {
  drawWeights,
  finish,
  gaussianRow,
  inInt4,
  random,
  realisticRow
} from '../test/guardian/answers/expert-world.ts'
import {
  architectureOf,
  type ExpertSession,
  openExpert,
  plainKind,
  type SessionKind
} from '../test/routing/expert-sessions.ts'
import { type Options, plain, type Result } from './report.ts'
import { withTemporaryFolder } from './temporary-folder.ts'

/**
 * How far honest machines are from what the weights give, and how far int4 is: what tolerances stand on. Set LD_LIBRARY_PATH
 * and VK_ICD_FILENAMES to a Vulkan driver to have WebGPU counted in.
 */
const width = 512
const inner = 352
const batches = [1, 3, 8, 32]

const kinds: readonly SessionKind[] = [
  plainKind,
  { ...plainKind, isPrepacked: false },
  { ...plainKind, threads: 2 },
  { ...plainKind, level: 'disabled' },
  { ...plainKind, kernel: 'dequantise' },
  { ...plainKind, kernel: 'dequantise', level: 'disabled', isPrepacked: false },
  { ...plainKind, kernel: 'dequantise', provider: 'webgpu' }
]

export function integritySuite({ quick, note }: Options): Promise<Result[]> {
  return withTemporaryFolder(async folder => {
    const results: Result[] = []
    for (const precision of ['fp32', 'int8'] as const)
      for (const [what, makeRow] of Object.entries({ random: gaussianRow, realistic: realisticRow })) {
        const next = random(11)
        const weights = drawWeights(width, inner, precision === 'fp32' ? 'float' : 'int8', next)
        const rows = Array.from({ length: quick ? 32 : 128 }, () => makeRow(width, next))
        for (const kind of kinds) {
          if (precision === 'fp32' && kind.kernel === 'dequantise' && kind.provider === 'cpu') continue
          const arithmetic = precision === 'int8' && kind.kernel === 'integer' ? 'integer' : 'float'
          const session = await openExpert(
            folder,
            'honest',
            architectureOf(width, inner, precision),
            weights,
            kind
          ).catch(() => undefined)
          if (session === undefined) {
            note(`not here: ${kind.provider}`)
            continue
          }
          const worst = await worstOf(session, weights, arithmetic, rows)
          await session.release()
          results.push(plain(`${session.name}, ${what} rows`, 'of length', [worst.largest]))
        }
        const cheap = await openExpert(folder, 'int4', architectureOf(width, inner, 'fp32'), inInt4(weights), plainKind)
        const arithmetic = precision === 'int8' ? 'integer' : 'float'
        const lie = await worstOf(cheap, weights, arithmetic, rows)
        await cheap.release()
        results.push(plain(`int4 for ${precision}, ${what} rows, least`, 'of length', [lie.least]))
      }
    return results
  })
}

async function worstOf(
  session: ExpertSession,
  weights: ExpertWeights,
  arithmetic: Arithmetic,
  rows: readonly Float32Array[]
): Promise<{ readonly largest: number; readonly least: number }> {
  let [largest, least] = [0, Number.POSITIVE_INFINITY]
  const truths = rows.map(row => finish(expertTruth(weights, row, arithmetic, new Uint8Array(32))))
  for (const batch of batches)
    for (let start = 0; start + batch <= rows.length; start += batch) {
      const input = new Float32Array(batch * width)
      for (let place = 0; place < batch; place++) input.set(rows[start + place]!, place * width)
      const output = await session.run(input)
      for (let place = 0; place < batch; place++) {
        const found = output.subarray(place * width, (place + 1) * width)
        const difference = rowDifference(truths[start + place]!.output, found)!
        largest = Math.max(largest, difference)
        least = Math.min(least, difference)
      }
    }
  return { largest, least }
}
