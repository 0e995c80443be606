import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Architecture,
  type Engine,
  genesisParts,
  littleEndianBytes,
  type PartFile
} from '../../src/experts/index.ts'
import { createModelParts, type ModelParts } from '../../src/learning/model-parts.ts'

/** By the name on chain. */
export type Values = ReadonlyMap<string, Float32Array>

/** A model in a folder, whose versions the engine maps one after the other. */
export class BenchModel {
  readonly engine: Engine
  readonly architecture: Architecture
  readonly parts: ModelParts
  readonly #folder: string
  #version = 0

  constructor(engine: Engine, architecture: Architecture, folder: string) {
    this.engine = engine
    this.architecture = architecture
    this.parts = createModelParts('bench', architecture)
    this.#folder = folder
  }

  genesis(): Map<string, Float32Array> {
    const values = new Map<string, Float32Array>()
    for (const { name, data } of genesisParts(this.architecture)) {
      values.set(this.parts.all.find(({ part }) => part === name)!.name, data)
    }
    return values
  }

  /** Forget the files with `forget` when nothing maps them any more. */
  write(values: Values): { files: PartFile[]; forget: () => void } {
    const folder = join(this.#folder, `version-${this.#version++}`)
    mkdirSync(folder)
    const files = this.parts.all.map(({ part, name, shape }): PartFile => {
      const bytes = littleEndianBytes(values.get(name)!)
      const path = join(folder, part)
      writeFileSync(path, bytes)
      return { name: part, path, dataOffsetBytes: 0, dataLengthBytes: bytes.length, shape, dtype: 'fp32' }
    })
    return { files, forget: () => rmSync(folder, { recursive: true, force: true }) }
  }

  get parameters(): number {
    return this.parts.all.reduce((sum, { length }) => sum + length, 0)
  }
}

/** What the engine answers, by the names on chain. */
export function byChainName(parts: ModelParts, changes: ReadonlyMap<string, Float32Array>): Map<string, Float32Array> {
  return new Map(parts.all.flatMap(({ part, name }) => (changes.has(part) ? [[name, changes.get(part)!]] : [])))
}

export function byShortName(parts: ModelParts, changes: Values): Map<string, Float32Array> {
  return new Map([...changes].map(([name, values]) => [parts.named(name)!.part, values]))
}

export function meanOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
