import {
  add,
  and,
  andVectors,
  type Code,
  counting,
  during,
  fillZero,
  get,
  highBits,
  inAllLanes,
  integer,
  isAtLeast,
  isAtLeastUnsigned,
  isEqual,
  isLess,
  isMore,
  load,
  loadShort,
  loadVector,
  set,
  shiftLeft,
  shiftRight,
  store,
  storeShort,
  subtract,
  type WasmFunction,
  when
} from './wasm-writer.ts'

/** Bytes of the two work areas that `select` needs, for chunks of 4096. */
export const selectWorkBytes = { histogram: 2048 * 4, candidates: 4100 * 2 + 64 } as const

const join = (...codes: readonly Code[]): Code => codes.flat()
const magnitudeMask = integer(0x7fffffff)

const places = {
  values: 0,
  count: 1,
  kept: 2,
  chosen: 3,
  histogram: 4,
  candidates: 5,
  hint: 6,
  at: 7,
  bits: 8,
  listed: 9,
  bucket: 10,
  missing: 11,
  floor: 12,
  mask: 13,
  place: 14,
  isChosen: 15
} as const
const local = (name: keyof typeof places): Code => get(places[name])
const assign = (name: keyof typeof places, value: Code): Code => set(places[name], value)

/**
 * The `kept` largest absolute values of `count` (at most 4096): their places, ascending, as 16-bit numbers. Of equal ones
 * the first are taken. Those at least as large as the hint are listed (all, where they are too few), and then searched digit by
 * digit: a histogram of the highest 11 bits, then of the next 11 and the last 9 of those that share the digits before.
 * Parameters: values, count, kept, chosen, histogram, candidates, hint (bits of an absolute value; it changes nothing but time).
 * Returns the bits of the smallest chosen value. What follows the values to a multiple of 4 must be zero.
 */
export function selectFunction(): WasmFunction {
  const bitsOf = (index: Code): Code => and(load(add(local('values'), shiftLeft(index, integer(2)))), magnitudeMask)
  const histogramAt = (digit: Code): Code => add(local('histogram'), shiftLeft(digit, integer(2)))
  const countDigit = (digit: Code): Code =>
    join(assign('place', histogramAt(digit)), store(local('place'), add(load(local('place')), integer(1))))
  const clear = fillZero(local('histogram'), integer(selectWorkBytes.histogram))
  /** From the highest digit down to the one in which the last value to keep lies; `missing` are to be kept of it. */
  const findBucket = (highest: number): Code =>
    join(
      assign('bucket', integer(highest)),
      during(
        isLess(load(histogramAt(local('bucket'))), local('missing')),
        join(
          assign('missing', subtract(local('missing'), load(histogramAt(local('bucket'))))),
          assign('bucket', subtract(local('bucket'), integer(1)))
        )
      )
    )
  const candidate = (index: Code): Code => loadShort(add(local('candidates'), shiftLeft(index, integer(1))))
  const overCandidates = (body: Code): Code =>
    join(
      assign('at', integer(0)),
      counting(places.at, local('listed'), 1, join(assign('bits', bitsOf(candidate(local('at')))), body))
    )
  const list = (index: Code): Code =>
    join(
      storeShort(add(local('candidates'), shiftLeft(local('listed'), integer(1))), index),
      assign('listed', add(local('listed'), integer(1)))
    )
  /** Looks at the next digit of those that have all digits found so far. */
  const refine = (shift: number, digits: number): Code =>
    join(
      clear,
      overCandidates(
        when(
          isEqual(and(local('bits'), local('mask')), local('floor')),
          countDigit(and(shiftRight(local('bits'), integer(shift)), integer(digits)))
        )
      ),
      findBucket(digits),
      assign('floor', add(local('floor'), shiftLeft(local('bucket'), integer(shift))))
    )
  const fourAt = andVectors(
    loadVector(add(local('values'), shiftLeft(local('at'), integer(2)))),
    inAllLanes(magnitudeMask)
  )
  /** Everything at or above the hint, in order. */
  const listCandidates = join(
    assign('listed', integer(0)),
    assign('at', integer(0)),
    counting(
      places.at,
      local('count'),
      4,
      join(
        assign('bits', highBits(isAtLeastUnsigned(fourAt, inAllLanes(local('hint'))))),
        when(
          local('bits'),
          join(
            ...[0, 1, 2, 3].map(index =>
              when(and(local('bits'), integer(1 << index)), list(add(local('at'), integer(index))))
            )
          )
        )
      )
    )
  )
  const body = join(
    listCandidates,
    when(isLess(local('listed'), local('kept')), join(assign('hint', integer(0)), listCandidates)),
    clear,
    assign('missing', local('kept')),
    overCandidates(countDigit(shiftRight(local('bits'), integer(20)))),
    findBucket(2047),
    assign('floor', shiftLeft(local('bucket'), integer(20))),
    assign('mask', integer(0x7ff00000)),
    refine(9, 2047),
    assign('mask', integer(0x7ffffe00)),
    refine(0, 511),
    // Above the smallest kept value all, of the equal ones those that are missing.
    overCandidates(
      join(
        assign('isChosen', isMore(local('bits'), local('floor'))),
        when(
          isEqual(local('bits'), local('floor')),
          when(
            isAtLeast(local('missing'), integer(1)),
            join(assign('missing', subtract(local('missing'), integer(1))), assign('isChosen', integer(1)))
          )
        ),
        when(
          local('isChosen'),
          join(storeShort(local('chosen'), candidate(local('at'))), assign('chosen', add(local('chosen'), integer(2))))
        )
      )
    ),
    local('floor')
  )
  return { name: 'select', parameters: 7, integers: 9, vectors: 0, isResult: true, body }
}
