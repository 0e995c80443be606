import type { PartVersion } from '../dag/index.ts'
import { type Architecture, describeModel, type PartDescription, type PartFile } from '../experts/index.ts'
import { type TensorInfo, type TileLayout, tileLayouts } from '../tiles/index.ts'
import { chainNameOf, shortNameOf } from './core/part-names.ts'

/** One part of a model that is learnt. */
export type LearningPart = {
  /** `layer0.expert3`. */
  readonly part: string
  /** On chain: with the model's name before it, but for the model of genesis. */
  readonly name: string
  readonly blockType: string
  readonly layer: number | null
  readonly shape: readonly number[]
  /** Values. */
  readonly length: number
  /** One a tile. */
  readonly layouts: readonly TileLayout[]
}

/** The parts of one model, with what codecs need to know of them. */
export interface ModelParts {
  readonly model: string
  readonly architecture: Architecture
  readonly all: readonly LearningPart[]
  /** By the name on chain. */
  named(name: string): LearningPart | undefined
}

export function createModelParts(model: string, architecture: Architecture): ModelParts {
  const all = describeModel(architecture).map(description => partOf(model, description))
  const byName = new Map(all.map(part => [part.name, part]))
  return { model, architecture, all, named: name => byName.get(name) }
}

const bytesEach = 4

function partOf(model: string, description: PartDescription): LearningPart {
  const slices = description.slices.map(({ shape, offsetBytes }) => ({
    rows: shape[0]!,
    columns: shape.slice(1).reduce((product, extent) => product * extent, 1),
    offset: offsetBytes / bytesEach
  }))
  const length = description.dataLengthBytes / bytesEach
  return {
    part: description.name,
    name: chainNameOf(model, description.name),
    blockType: description.blockType,
    layer: description.layer,
    shape: description.shape,
    length,
    layouts: tileLayouts(slices, length)
  }
}

/** What the engine maps. */
export function partFileOf(part: Pick<LearningPart, 'part' | 'shape'>, info: TensorInfo): PartFile {
  return {
    name: part.part,
    path: info.path,
    dataOffsetBytes: info.dataOffsetBytes,
    dataLengthBytes: info.dataLengthBytes,
    shape: part.shape,
    dtype: info.dtype as PartFile['dtype']
  }
}

/** Newest versions of all parts of a model, by name on chain; undefined while one is missing. */
export function newestTensors(
  parts: ModelParts,
  newest: (name: string) => PartVersion | undefined
): ReadonlyMap<string, string> | undefined {
  const tensors = new Map<string, string>()
  for (const { name } of parts.all) {
    const version = newest(name)
    if (version === undefined) return undefined
    tensors.set(name, version.tensor)
  }
  return tensors
}

/** Changes by short name, from changes by the name on chain: what the engine takes. */
export function byShortName(model: string, changes: ReadonlyMap<string, Float32Array>): Map<string, Float32Array> {
  return new Map([...changes].map(([name, values]) => [shortNameOf(model, name)!, values]))
}
