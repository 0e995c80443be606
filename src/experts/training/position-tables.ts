import type { ModelShape } from '../model/architecture.ts'
import { attentionMask, rotaryRows } from '../model/positions.ts'

export type PositionTable = { readonly data: Float32Array; readonly dimensions: readonly [number, number] }

/** What training and scoring graphs are fed besides tokens and parameters; every sequence begins at place 0. */
export type PositionTables = Readonly<Record<'cosines' | 'sines' | 'mask', PositionTable>>

export function positionTables(shape: ModelShape, sequenceTokens: number): PositionTables {
  const places = Array.from({ length: sequenceTokens }, (_, place) => place)
  const { cosines, sines } = rotaryRows(places, shape.headWidth, shape.ropeBase)
  const mask = attentionMask(0, sequenceTokens, 0, shape.slidingWindow)
  return {
    cosines: { data: cosines, dimensions: [sequenceTokens, shape.headWidth] },
    sines: { data: sines, dimensions: [sequenceTokens, shape.headWidth] },
    mask: { data: mask, dimensions: [sequenceTokens, sequenceTokens] }
  }
}
