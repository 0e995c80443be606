import type { GraphBuilder } from '../model/graph-builder.ts'

/** A value of the graph being built. Only what is `tracked` gets a slope, so nothing is computed for parts that are not trained. */
export type Value = {
  /** Its name in the graph. */
  readonly name: string
  readonly tracked: boolean
}

/** Names of values in the graph; null where nothing came back or nothing is wanted. */
export type Slopes = readonly (string | null)[]

/**
 * Reverse-mode differentiation while the graph is built: every operation tells how the slope of the loss with respect to its
 * results becomes that of its inputs, and `backward` asks them in reverse order. What it adds are ordinary nodes.
 */
export interface Tape {
  readonly builder: GraphBuilder
  /** Something the loss is not differentiated by: data, masks, frozen parameters. */
  constant(name: string): Value
  /** Something the loss is differentiated by. */
  parameter(name: string): Value
  /**
   * Says that `output` came from `inputs`. `backward` gets the slope of the output and gives one for each input, of the input's
   * shape; it is asked only when an input is tracked, and may answer null for those that are not.
   */
  record(output: string, inputs: readonly Value[], backward: (slope: string) => Slopes): Value
  /** The same for several outputs; a slope is null where an output has no part in the loss. */
  recordMany(
    outputs: readonly string[],
    inputs: readonly Value[],
    backward: (slopes: Slopes) => Slopes
  ): readonly Value[]
  /**
   * Adds the nodes of the way back from the scalar `loss`, times the scalar `weight` where there is one. Returns the slope of
   * every parameter that has a part in it, by its name.
   */
  backward(loss: Value, weight?: string): ReadonlyMap<string, string>
}

export function createTape(builder: GraphBuilder): Tape {
  return new RecordingTape(builder)
}

type Entry = {
  readonly outputs: readonly string[]
  readonly inputs: readonly Value[]
  readonly backward: (slopes: Slopes) => Slopes
}

class RecordingTape implements Tape {
  readonly builder: GraphBuilder
  readonly #entries: Entry[] = []
  readonly #parameters: string[] = []

  constructor(builder: GraphBuilder) {
    this.builder = builder
  }

  constant(name: string): Value {
    return { name, tracked: false }
  }

  parameter(name: string): Value {
    this.#parameters.push(name)
    return { name, tracked: true }
  }

  record(output: string, inputs: readonly Value[], backward: (slope: string) => Slopes): Value {
    return this.recordMany([output], inputs, ([slope]) => backward(slope!))[0]!
  }

  recordMany(
    outputs: readonly string[],
    inputs: readonly Value[],
    backward: (slopes: Slopes) => Slopes
  ): readonly Value[] {
    const tracked = inputs.some(input => input.tracked)
    if (tracked) this.#entries.push({ outputs, inputs, backward })
    return outputs.map(name => ({ name, tracked }))
  }

  backward(loss: Value, weight = this.builder.float(1)): ReadonlyMap<string, string> {
    const pieces = new Map<string, string[]>([[loss.name, [weight]]])
    for (const { outputs, inputs, backward } of this.#entries.toReversed()) {
      const slopes = outputs.map(output => this.#total(pieces, output))
      if (slopes.every(slope => slope === null)) continue
      const given = backward(slopes)
      inputs.forEach(({ name, tracked }, i) => {
        const piece = given[i] ?? null
        if (!tracked || piece === null) return
        pieces.set(name, [...(pieces.get(name) ?? []), piece])
      })
    }
    const totals = this.#parameters.map(name => [name, this.#total(pieces, name)] as const)
    return new Map(totals.flatMap(([name, total]) => (total === null ? [] : [[name, total]])))
  }

  /** A value used in several places gets the sum of what comes back from them. */
  #total(pieces: Map<string, string[]>, name: string): string | null {
    const own = pieces.get(name)
    if (own === undefined) return null
    return own.length === 1 ? own[0]! : this.builder.add(own.length === 2 ? 'Add' : 'Sum', own)
  }
}
