import { type Architecture, type ModelShape, shapeOf } from './architecture.ts'
import {
  attendGraph,
  embeddingGraph,
  expertGraph,
  finishGraph,
  type Int8Kernel,
  outputGraph,
  type PlacedPart,
  projectGraph,
  type TensorLocation
} from './graphs.ts'
import { describeModel, type PartDescription } from './part-layout.ts'

/** One graph of a model; `forwardBatch` asks for it by its name. */
export type GraphRecipe = {
  readonly name: string
  /** Parts whose tensors it maps. */
  readonly needs: readonly string[]
  /** Bytes of weights it reads in a run; small for a lookup. */
  readonly weightBytes: number
  /** The part, where the graph is one expert (shared or dense, too) and nothing else. */
  readonly expert: PartDescription | null
  /** The ONNX model over these places, in the order of `needs`. */
  readonly write: (places: readonly TensorLocation[]) => Uint8Array
}

/**
 * All graphs of a model: `embedding`, `output`, `attend`, and for each layer i `layer<i>.project`, `layer<i>.finish`, and
 * `layer<i>.expert<j>` and `layer<i>.shared`, or `layer<i>.dense`. What each takes and gives is said in graphs.ts.
 */
export function graphsOf(architecture: Architecture, kernel: Int8Kernel): readonly GraphRecipe[] {
  const shape = shapeOf(architecture)
  const parts = new Map(describeModel(architecture).map(part => [part.name, part]))
  const recipes = [embeddingRecipe(shape, parts), outputRecipe(shape, parts, kernel), attendRecipe(shape)]
  for (const part of parts.values()) {
    if (part.blockType === 'attention') recipes.push(...trunkRecipes(shape, parts, part, kernel))
    if (part.blockType !== 'expert') continue
    recipes.push({ ...recipe(part.name, [part], ([own]) => expertGraph(shape, own!, kernel)), expert: part })
  }
  return recipes
}

type Parts = ReadonlyMap<string, PartDescription>

function embeddingRecipe(shape: ModelShape, parts: Parts): GraphRecipe {
  const embedding = parts.get('embedding')!
  return { ...recipe('embedding', [embedding], ([own]) => embeddingGraph(shape, own!)), weightBytes: 0 }
}

function outputRecipe(shape: ModelShape, parts: Parts, kernel: Int8Kernel): GraphRecipe {
  const needs = [parts.get('embedding')!, parts.get(shape.outputRows.part)!]
  const found = recipe('output', needs, ([embedding, rows]) => outputGraph(shape, embedding!, rows!, kernel))
  return { ...found, weightBytes: needs[1]!.dataLengthBytes }
}

function attendRecipe(shape: ModelShape): GraphRecipe {
  return { name: 'attend', needs: [], weightBytes: 0, expert: null, write: () => attendGraph(shape) }
}

function trunkRecipes(shape: ModelShape, parts: Parts, attention: PartDescription, kernel: Int8Kernel): GraphRecipe[] {
  const router = parts.get(`layer${attention.layer}.router`)
  const project = recipe(`layer${attention.layer}.project`, [attention], ([own]) => projectGraph(shape, own!, kernel))
  const finish = recipe(
    `layer${attention.layer}.finish`,
    router === undefined ? [attention] : [attention, router],
    ([own, routing]) => finishGraph(shape, own!, routing ?? null, kernel)
  )
  const outputBytes = attention.slices
    .filter(slice => /^output(?:\.|$)/.test(slice.name))
    .reduce((sum, slice) => sum + slice.lengthBytes, 0)
  return [
    { ...project, weightBytes: attention.dataLengthBytes - outputBytes },
    { ...finish, weightBytes: outputBytes + (router?.dataLengthBytes ?? 0) }
  ]
}

function recipe(
  name: string,
  needs: readonly PartDescription[],
  write: (parts: readonly PlacedPart[]) => Uint8Array
): GraphRecipe {
  return {
    name,
    needs: needs.map(part => part.name),
    weightBytes: needs.reduce((sum, part) => sum + part.dataLengthBytes, 0),
    expert: null,
    write: places => write(places.map((place, i) => ({ ...needs[i]!, ...place })))
  }
}
