/**
 * Experts that compute only the rows they were chosen for: choices are sorted by expert, each expert gathers its rows, and the
 * results are brought back by the inverse order. So every slope of moving rows is a gather, too; nothing is scattered.
 */
import type { ModelShape } from '../model/architecture.ts'
import { type CastNumbers, softmax, zerosLike } from './operations.ts'
import type { Tape, Value } from './tape.ts'

/** Names in the graph; N rows, k choices a row, M = N k. */
export type Routing = {
  /** [N, k]: what each choice counts. */
  readonly weights: Value
  /** [E] int64: rows of each expert. */
  readonly counts: string
  /** [N, k, E] of 0 and 1. */
  readonly isChosen: string
  /** [M] int64: the choices in order of their experts, and the place of each choice in that order. */
  readonly order: string
  readonly places: string
  /** For each expert the int64 numbers of its rows, ascending. */
  readonly rows: readonly string[]
  /** [N, E]: softmax of all logits. */
  readonly shares: Value
}

type RoutingShape = Pick<ModelShape, 'experts' | 'expertsPerToken' | 'router'>

/** Chooses by `logits` [N, E]; of equal ones the lower expert, as `routeTokens` does. */
export function route(tape: Tape, logits: Value, shape: RoutingShape, cast: CastNumbers): Routing {
  const { builder } = tape
  const { experts, expertsPerToken, router } = shape
  const [highest, chosen] = builder.addMany('TopK', [logits.name, builder.integers([expertsPerToken])], 2, { axis: -1 })
  const numbers = builder.integers(Array.from({ length: experts }, (_, expert) => expert))
  const matches = builder.add('Equal', [builder.add('Unsqueeze', [chosen!, builder.integers([-1])]), numbers])
  const isChosen = builder.add('Cast', [matches], { to: cast.float })
  const shares = softmax(tape, logits)
  const weights =
    router.softmaxFirst && !router.normalise
      ? pick(tape, shares, chosen!, isChosen)
      : softmax(tape, spread(tape, logits, highest!, isChosen))
  const perExpert = builder.add('ReduceSum', [isChosen, builder.integers([0, 1])], { keepdims: 0 })
  const list = (value: string): string => builder.sized(value, ['M'], 'int64')
  const flat = list(builder.add('Reshape', [chosen!, builder.integers([-1])]))
  const length = builder.add('Shape', [flat])
  const all = list(builder.add('Range', [builder.integer(0), builder.add('Squeeze', [length]), builder.integer(1)]))
  // Different for every choice, so that sorting keeps the rows of an expert in their order.
  const keys = builder.add('Add', [builder.add('Mul', [flat, length]), all])
  const sortOf = (values: string): string =>
    list(builder.addMany('TopK', [values, length], 2, { axis: 0, largest: 0, sorted: 1 })[1]!)
  const order = sortOf(keys)
  const counts = builder.add('Cast', [perExpert], { to: 7 })
  return {
    weights,
    counts,
    isChosen,
    order,
    places: sortOf(order),
    rows: split(tape, builder.add('Div', [order, builder.integer(expertsPerToken)]), counts, experts).map(
      (rows, expert) => builder.sized(rows, [extentOf(counts, expert)], 'int64')
    ),
    shares
  }
}

/** Rows [N, D] -> for each expert its own rows; none for an expert that was not chosen. */
export function dispatch(tape: Tape, rows: Value, routing: Routing, shape: RoutingShape): readonly Value[] {
  const { builder } = tape
  const pieces = routing.rows.map(own => builder.add('Gather', [rows.name, own]))
  return tape.recordMany(pieces, [rows], slopes => {
    const all = slopes.map((slope, i) => slope ?? zerosLike(tape, pieces[i]!))
    return [sumOverChoices(tape, joined(tape, all, ['M', null]), routing, shape)]
  })
}

/** Results of the experts back in order of rows, each times its weight, added up: [N, D]. */
export function combine(tape: Tape, results: readonly Value[], routing: Routing, shape: RoutingShape): Value {
  const { builder } = tape
  const { weights, counts, order, places } = routing
  const byChoice = builder.sized(builder.add('Reshape', [weights.name, builder.integers([-1, 1])]), ['M', 1])
  const columns = split(tape, builder.add('Gather', [byChoice, order]), counts, shape.experts).map((column, expert) =>
    builder.sized(column, [extentOf(counts, expert), 1])
  )
  const weighted = results.map((result, expert) => builder.add('Mul', [result.name, columns[expert]!]))
  const output = sumOverChoices(tape, joined(tape, weighted, ['M', null]), routing, shape)
  return tape.record(output, [...results, weights], slope => {
    const bySorted = results.map((result, expert) =>
      result.tracked || weights.tracked ? builder.add('Gather', [slope, routing.rows[expert]!]) : null
    )
    const own = (): string => {
      const sums = results.map((result, expert) => {
        const product = builder.add('Mul', [bySorted[expert]!, result.name])
        return builder.add('ReduceSum', [product, builder.integers([-1])], { keepdims: 0 })
      })
      const sorted = builder.add('Gather', [joined(tape, sums, ['M']), places])
      const byRow = builder.add('Reshape', [sorted, builder.integers([-1, shape.expertsPerToken])])
      return builder.sized(byRow, ['N', shape.expertsPerToken])
    }
    return [
      ...results.map((result, expert) =>
        result.tracked ? builder.add('Mul', [bySorted[expert]!, columns[expert]!]) : null
      ),
      weights.tracked ? own() : null
    ]
  })
}

function split({ builder }: Tape, sorted: string, counts: string, experts: number): readonly string[] {
  return experts === 1 ? [sorted] : builder.addMany('Split', [sorted, counts], experts, { axis: 0 })
}

/** The number of rows of one expert, by name. */
function extentOf(counts: string, expert: number): string {
  return `${counts} of ${expert}`
}

function joined({ builder }: Tape, pieces: readonly string[], dimensions: readonly (string | null)[]): string {
  return pieces.length === 1 ? pieces[0]! : builder.sized(builder.add('Concat', pieces, { axis: 0 }), dimensions)
}

/** What lies in order of experts [M, D], added up for each row: [N, D]. */
function sumOverChoices({ builder }: Tape, sorted: string, { places }: Routing, shape: RoutingShape): string {
  const { expertsPerToken } = shape
  const table = builder.once(`table of ${places}`, () =>
    builder.sized(
      builder.add('Reshape', [places, builder.integers([-1, expertsPerToken])]),
      ['N', expertsPerToken],
      'int64'
    )
  )
  const terms = Array.from({ length: expertsPerToken }, (_, choice) => {
    const column = builder.once(`choice ${choice} of ${places}`, () =>
      builder.add('Gather', [table, builder.integer(choice)], { axis: 1 })
    )
    return builder.add('Gather', [sorted, column])
  })
  return terms.length === 1 ? terms[0]! : builder.add(terms.length === 2 ? 'Add' : 'Sum', terms)
}

/** The values [N, k] at the chosen places of [N, E]. */
function pick(tape: Tape, values: Value, chosen: string, isChosen: string): Value {
  return spread(tape, values, tape.builder.add('GatherElements', [values.name, chosen], { axis: -1 }), isChosen)
}

/** Says that `picked` [N, k] are the chosen ones of `values` [N, E]. */
function spread(tape: Tape, values: Value, picked: string, isChosen: string): Value {
  const { builder } = tape
  return tape.record(picked, [values], slope => {
    const column = builder.add('Unsqueeze', [slope, builder.integers([-1])])
    const placed = builder.add('Mul', [isChosen, column])
    return [builder.add('ReduceSum', [placed, builder.integers([1])], { keepdims: 0 })]
  })
}
