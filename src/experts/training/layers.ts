/** One layer of the model with its derivative, for a whole batch of sequences that begin at place 0. */
import type { ModelShape } from '../model/architecture.ts'
import type { PartDescription } from '../model/part-layout.ts'
import { attend, type BatchShape, fromHeads, rotate, toHeads } from './attention.ts'
import { balanceLoss, zLoss } from './losses.ts'
import {
  addVector,
  type CastNumbers,
  clip,
  gatedUnit,
  linear,
  openRows,
  regroupRows,
  rootMeanSquareNorm,
  sum
} from './operations.ts'
import { combine, dispatch, route } from './sparse-experts.ts'
import type { Tape, Value } from './tape.ts'

/** Scalars of the routers, one for each layer that has one. */
export type LayerLosses = { readonly balances: Value[]; readonly logitSizes: Value[] }

export type LayerNeeds = {
  readonly tape: Tape
  readonly shape: ModelShape
  readonly parts: ReadonlyMap<string, PartDescription>
  readonly parameterOf: (part: string, slice: string) => Value
  readonly orientationOf: (part: string, slice: string) => 'outIn' | 'inOut'
  readonly batch: BatchShape
  readonly cast: CastNumbers
  /** Filled as layers are added. */
  readonly losses: LayerLosses
}

/** Hidden rows [B S, width] through layer `layer`. */
export function addLayer(needs: LayerNeeds, layer: number, hidden: Value): Value {
  const { tape, shape, parameterOf } = needs
  const attention = `layer${layer}.attention`
  const norm = (input: Value, slice: string): Value =>
    rootMeanSquareNorm(tape, input, parameterOf(attention, slice), shape.normEpsilon, shape.width)
  const mixed = mix(needs, attention, norm(hidden, 'attentionNorm'))
  const attended = sum(tape, hidden, multiply(needs, attention, 'output', mixed))
  const normed = norm(attended, 'expertsNorm')
  if (shape.denseLayers.has(layer)) return sum(tape, attended, feedForward(needs, `layer${layer}.dense`, normed))
  const routed = sum(tape, attended, addExperts(needs, layer, normed))
  return shape.sharedExpertWidth === 0 ? routed : sum(tape, routed, addShared(needs, `layer${layer}.shared`, normed))
}

function mix(needs: LayerNeeds, part: string, input: Value): Value {
  const { tape, shape, parameterOf, batch } = needs
  const { heads, keyValueHeads, headWidth, normEpsilon } = shape
  const project = (name: 'query' | 'key' | 'value', count: number): Value => {
    const plain = multiply(needs, part, name, input)
    const biased = shape.attentionBias ? addVector(tape, plain, parameterOf(part, `${name}Bias`)) : plain
    const isNormed = name !== 'value' && shape.queryKeyNorm === 'projection'
    const whole = isNormed
      ? rootMeanSquareNorm(tape, biased, parameterOf(part, `${name}Norm`), normEpsilon, count * headWidth)
      : biased
    const size = shape.clipQueryKeyValue
    const cut = size === null ? whole : clip(tape, whole, size)
    if (name === 'value') return toHeads(tape, cut, batch, count, headWidth)
    const ready = shape.queryKeyNorm === 'head' ? normHeads(needs, cut, parameterOf(part, `${name}Norm`), count) : cut
    return rotate(tape, toHeads(tape, ready, batch, count, headWidth), 'cosines', 'sines')
  }
  const inputs = {
    queries: project('query', heads),
    keys: project('key', keyValueHeads),
    values: project('value', keyValueHeads)
  }
  return fromHeads(tape, attend(tape, inputs, 'mask', batch, shape), batch, heads, headWidth)
}

function normHeads({ tape, shape }: LayerNeeds, rows: Value, weight: Value, count: number): Value {
  const { headWidth, normEpsilon } = shape
  const heads = regroupRows(tape, rows, count * headWidth, headWidth)
  return regroupRows(
    tape,
    rootMeanSquareNorm(tape, heads, weight, normEpsilon, headWidth),
    headWidth,
    count * headWidth
  )
}

function addExperts(needs: LayerNeeds, layer: number, normed: Value): Value {
  const { tape, shape, cast, losses } = needs
  const logits = multiply(needs, `layer${layer}.router`, 'router', normed)
  const routing = route(tape, logits, shape, cast)
  losses.balances.push(balanceLoss(tape, routing, shape, cast))
  losses.logitSizes.push(zLoss(tape, logits, cast))
  const rows = dispatch(tape, normed, routing, shape)
  const results = rows.map((own, expert) => feedForward(needs, `layer${layer}.expert${expert}`, own))
  return combine(tape, results, routing, shape)
}

function addShared(needs: LayerNeeds, part: string, normed: Value): Value {
  return openRows(needs.tape, feedForward(needs, part, normed), multiply(needs, part, 'sharedGate', normed))
}

function feedForward(needs: LayerNeeds, part: string, rows: Value): Value {
  const inner = gatedUnit(needs.tape, multiply(needs, part, 'gate', rows), multiply(needs, part, 'up', rows))
  return multiply(needs, part, 'down', inner)
}

function multiply({ tape, parameterOf, orientationOf }: LayerNeeds, part: string, slice: string, input: Value): Value {
  return linear(tape, input, parameterOf(part, slice), orientationOf(part, slice))
}
