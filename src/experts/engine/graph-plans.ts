import type { Architecture } from '../model/architecture.ts'
import { type GraphRecipe, graphsOf } from '../model/graph-list.ts'
import type { SessionSettings } from './graph-session.ts'

/** A graph of a model, and the threads that its session is given. */
export type GraphPlan = GraphRecipe & {
  readonly threads: number
  /** Read tile by tile rather than mapped. */
  readonly isStreamed: boolean
}

/** Every session has a thread pool of its own; below this size a second thread costs more than it brings. */
const oneThreadBytes = 16 * 1024 * 1024

export function plansOf(
  architecture: Architecture,
  { provider, threads, expertMemoryBytesMax = Number.POSITIVE_INFINITY }: SessionSettings
): ReadonlyMap<string, GraphPlan> {
  const kernel = provider === 'cpu' ? 'integer' : 'dequantise'
  return new Map(
    graphsOf(architecture, kernel).map(recipe => {
      const isStreamed = recipe.expert !== null && recipe.expert.dataLengthBytes > expertMemoryBytesMax
      return [
        recipe.name,
        {
          ...recipe,
          isStreamed,
          // What is not kept cannot be prepacked.
          weightBytes: isStreamed ? 0 : recipe.weightBytes,
          threads: recipe.weightBytes < oneThreadBytes ? 1 : threads
        }
      ]
    })
  )
}
