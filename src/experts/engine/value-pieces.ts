import type { CanonicalValue } from '../../codec/index.ts'
import type { Frame } from './frame-channel.ts'
import { asMap, integerField, listField, textField } from './frame-fields.ts'

/** Some consecutive values of a part, on their way between daemon and engine. */
export type ValuePiece = { readonly part: string; readonly from: number; readonly count: number }

/** Cuts parts into messages of at most `valuesMax` values: small parts travel together, large ones in several. */
export function* groupPieces(
  lengths: Iterable<readonly [part: string, values: number]>,
  valuesMax: number
): Generator<readonly ValuePiece[]> {
  let group: ValuePiece[] = []
  let room = valuesMax
  for (const [part, length] of lengths) {
    for (let from = 0; from < length; ) {
      const count = Math.min(room, length - from)
      group.push({ part, from, count })
      from += count
      room -= count
      if (room > 0) continue
      yield group
      group = []
      room = valuesMax
    }
  }
  if (group.length > 0) yield group
}

export function piecesToFrame(pieces: readonly ValuePiece[]): readonly CanonicalValue[] {
  return pieces.map(({ part, from, count }) => ({ part, from, count }))
}

/** Throws ENGINE_REQUEST_INVALID. */
export function piecesFromFrame(frame: Frame): readonly ValuePiece[] {
  return listField(frame, 'pieces').map(entry => {
    const piece = asMap(entry, 'piece')
    return { part: textField(piece, 'part'), from: integerField(piece, 'from'), count: integerField(piece, 'count') }
  })
}
