/** Runs the graphs of a model in this process, straight over its part files. */
import type { TestContext } from 'node:test'
import { type GraphSession, openGraphSession } from '../../src/experts/engine/graph-session.ts'
import { type Architecture, type PartFile, shapeOf } from '../../src/experts/index.ts'
import { type ModelRunner, runExpertsHere } from '../../src/experts/model/forward.ts'
import { graphsOf } from '../../src/experts/model/graph-list.ts'
import type { Int8Kernel } from '../../src/experts/model/graphs.ts'

export type CountingRunner = ModelRunner & { readonly runs: Map<string, number> }

export function openRunner(
  t: TestContext,
  tensorFolder: string,
  architecture: Architecture,
  parts: readonly PartFile[],
  kernel: Int8Kernel = 'integer'
): CountingRunner {
  const recipes = new Map(graphsOf(architecture, kernel).map(recipe => [recipe.name, recipe]))
  const places = new Map(
    parts.map(part => [
      part.name,
      { location: part.path.slice(tensorFolder.length + 1), dataOffsetBytes: part.dataOffsetBytes }
    ])
  )
  const sessions = new Map<string, Promise<GraphSession>>()
  const runs = new Map<string, number>()
  t.after(async () => {
    for (const session of sessions.values()) await (await session).leave()
  })
  const open = (graph: string): Promise<GraphSession> => {
    const recipe = recipes.get(graph)!
    const model = recipe.write(recipe.needs.map(part => places.get(part)!))
    return openGraphSession(model, 1, false, { provider: 'cpu', threads: 1, tensorFolder })
  }
  const runner: CountingRunner = {
    shape: shapeOf(architecture),
    runs,
    async run(graph, feeds) {
      const session = sessions.get(graph) ?? open(graph)
      sessions.set(graph, session)
      runs.set(graph, (runs.get(graph) ?? 0) + 1)
      return (await session).run(feeds)
    },
    experts: (layer, loads) => runExpertsHere(runner, layer, loads)
  }
  return runner
}
