import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Arithmetic, ExpertWeights } from '../../src/guardian/index.ts'
import { drawWeights, gaussianRow, inInt4, random, realisticRow } from '../guardian/answers/expert-world.ts'
import { architectureOf, openExpert, plainKind, type SessionKind } from './expert-sessions.ts'

/** What honest machines and a cheap one really answered: rows of one expert, computed by ONNX Runtime. */
export type AnswerPool = {
  readonly precision: 'fp32' | 'int8'
  readonly weights: ExpertWeights
  readonly inputs: readonly Float32Array[]
  /** One list of rows for each kind of machine; the first is this node's own. */
  readonly honest: readonly { readonly arithmetic: Arithmetic; readonly outputs: readonly Float32Array[] }[]
  readonly int4: readonly Float32Array[]
}

export const poolWidth = 64
const inner = 48
const rowsEach = 24

const kinds: readonly (SessionKind & { readonly batch: number })[] = [
  { ...plainKind, batch: 1 },
  { ...plainKind, isPrepacked: false, batch: rowsEach },
  { ...plainKind, level: 'disabled', batch: 4 },
  { ...plainKind, threads: 2, batch: 8 },
  // What a graphics device does: weights made fp32, products and sums in fp32.
  { ...plainKind, kernel: 'dequantise', level: 'disabled', batch: 3 }
]

export async function makePool(
  precision: 'fp32' | 'int8',
  rows: 'random' | 'realistic',
  seed: number
): Promise<AnswerPool> {
  const folder = mkdtempSync(join(tmpdir(), 'blyan-answers-'))
  try {
    const next = random(seed)
    const weights = drawWeights(poolWidth, inner, precision === 'fp32' ? 'float' : 'int8', next)
    const draw = rows === 'random' ? gaussianRow : realisticRow
    const inputs = Array.from({ length: rowsEach }, () => draw(poolWidth, next))
    const honest: AnswerPool['honest'][number][] = []
    for (const kind of kinds) {
      const arithmetic = precision === 'int8' && kind.kernel === 'integer' ? 'integer' : 'float'
      honest.push({ arithmetic, outputs: await compute(folder, precision, weights, kind, inputs) })
    }
    const int4 = await compute(folder, 'fp32', inInt4(weights), { ...plainKind, batch: 2 }, inputs)
    return { precision, weights, inputs, honest, int4 }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function compute(
  folder: string,
  precision: 'fp32' | 'int8',
  weights: ExpertWeights,
  kind: SessionKind & { readonly batch: number },
  inputs: readonly Float32Array[]
): Promise<Float32Array[]> {
  const session = await openExpert(folder, 'part', architectureOf(poolWidth, inner, precision), weights, kind)
  const outputs: Float32Array[] = []
  for (let start = 0; start < inputs.length; start += kind.batch) {
    const rows = inputs.slice(start, start + kind.batch)
    const joined = new Float32Array(rows.length * poolWidth)
    for (const [place, row] of rows.entries()) joined.set(row, place * poolWidth)
    const result = await session.run(joined)
    for (const place of rows.keys()) outputs.push(result.slice(place * poolWidth, (place + 1) * poolWidth))
  }
  await session.release()
  return outputs
}
