import { isGainEnough, type MeasurementReason } from '../chain/index.ts'

/** Losses of the same sequences in the same order, in mean nats per token. */
export type PairedLosses = { readonly before: Float64Array; readonly after: Float64Array }

/** What a measurement says in figures: billionths of a nat per token, whole numbers. */
export type GainFigures = {
  readonly sequences: number
  readonly beforeNano: number
  readonly afterNano: number
  readonly gainNano: number
  /** Standard error of the mean gain. */
  readonly errorNano: number
}

export type Verdict = { readonly verdict: 'accept' | 'refuse'; readonly reason: MeasurementReason }

export const verdictRules = Object.freeze({
  /** Worse by more than this share of the loss, beyond two standard errors, is no mistake. */
  harmShare: 0.05,
  /** What a candidate gains on held-out text beyond so many times its gain on text to train on, it was trained on. */
  heldOutFactor: 2,
  /** A change so many times as large as what it changes is no step of training. */
  changeRatioMax: 8,
  /** Sequences of text to train on that a verdict looks at, as a share of those held out. */
  trainingShare: 1 / 4
})

const nano = 1e9
const nanoMax = 1e15

/** Undefined when a loss is no number: nothing can be said of such a model but that it is broken. */
export function figuresOf({ before, after }: PairedLosses): GainFigures | undefined {
  const sequences = before.length
  if (sequences < 2 || after.length !== sequences) return undefined
  const gains = before.map((loss, index) => loss - after[index]!)
  if (!gains.every(Number.isFinite)) return undefined
  const beforeNano = wholeNano(meanOf(before))
  const afterNano = wholeNano(meanOf(after))
  const gain = meanOf(gains)
  const variance = gains.reduce((sum, each) => sum + (each - gain) ** 2, 0) / (sequences - 1)
  return {
    sequences,
    beforeNano,
    afterNano,
    gainNano: beforeNano - afterNano,
    errorNano: Math.min(nanoMax, Math.ceil(Math.sqrt(variance / sequences) * nano))
  }
}

/** What held-out text alone says; anything but `accept` may still have a better name. */
export function judgeHeldOut(heldOut: GainFigures | undefined, gainPpm: number): Verdict {
  if (heldOut === undefined) return refused('poisoned')
  if (isGainEnough(heldOut, gainPpm)) return { verdict: 'accept', reason: 'none' }
  return refused(isHarm(heldOut) ? 'poisoned' : 'no-gain')
}

/**
 * The last word on a candidate that gains on held-out text. `training` is text of the same corpora that may be trained on:
 * who learnt to read gains about as much there; who learnt the held-out text itself does not.
 */
export function judgeGain(heldOut: GainFigures, training: GainFigures | undefined): Verdict {
  if (training === undefined) return { verdict: 'accept', reason: 'none' }
  const most = verdictRules.heldOutFactor * Math.max(0, training.gainNano + 2 * training.errorNano)
  return heldOut.gainNano - 2 * heldOut.errorNano > most ? refused('lineage') : { verdict: 'accept', reason: 'none' }
}

/** The name of a refusal. `own` is the text that the candidate says it was trained on: gain there and nowhere else is no gain. */
export function nameRefusal(refusal: Verdict, own: GainFigures | undefined, gainPpm: number): Verdict {
  return own !== undefined && isGainEnough(own, gainPpm) ? refused('over-fitted') : refusal
}

/** One part of a candidate and what it would replace. */
export type PartChange = { readonly base: Float32Array; readonly values: Float32Array }

/** What can be said of values without a model: none is a number, nothing changed, or too much. */
export function faultOfChange(parts: readonly PartChange[]): MeasurementReason | undefined {
  let isChanged = false
  for (const { base, values } of parts) {
    if (values.length !== base.length) return 'poisoned'
    let changeSquares = 0
    let baseSquares = 0
    for (let at = 0; at < values.length; at++) {
      const change = values[at]! - base[at]!
      changeSquares += change * change
      baseSquares += base[at]! * base[at]!
    }
    if (!Number.isFinite(changeSquares)) return 'poisoned'
    if (changeSquares > verdictRules.changeRatioMax ** 2 * baseSquares && baseSquares > 0) return 'poisoned'
    if (changeSquares > 0) isChanged = true
  }
  return isChanged ? undefined : 'no-change'
}

/** By name of a part: what is added to it. */
export type Changes = ReadonlyMap<string, Float32Array>

/**
 * Cosine of the angle between two changes, over the parts of the first: -1 to 1, whatever the other one changes beside.
 * Size does not count, so a copy that is scaled is one still.
 */
export function likeness(changes: Changes, other: Changes): number {
  let product = 0
  let squares = 0
  let otherSquares = 0
  for (const [name, values] of changes) {
    const others = other.get(name)
    for (let at = 0; at < values.length; at++) {
      const value = values[at]!
      const beside = others?.[at] ?? 0
      product += value * beside
      squares += value * value
      otherSquares += beside * beside
    }
  }
  const lengths = Math.sqrt(squares) * Math.sqrt(otherSquares)
  return lengths > 0 ? product / lengths : 0
}

function isHarm({ beforeNano, gainNano, errorNano }: GainFigures): boolean {
  return gainNano + 2 * errorNano < -verdictRules.harmShare * beforeNano
}

function refused(reason: MeasurementReason): Verdict {
  return { verdict: 'refuse', reason }
}

function meanOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function wholeNano(value: number): number {
  return Math.round(Math.max(-nanoMax, Math.min(nanoMax, value * nano)))
}
