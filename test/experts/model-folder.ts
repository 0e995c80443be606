import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import {
  type Architecture,
  type ArchitectureV1,
  createEngine,
  type Engine,
  type EngineLimits,
  genesisArchitecture,
  genesisParts,
  littleEndianBytes,
  type PartDescription,
  type PartFile
} from '../../src/experts/index.ts'

export const dataOffsetBytes = 262_144
export const silentLogger = { debug: () => {}, info: () => {}, warn: () => {} }

/** A model of a few thousand parameters in which every extent differs from every other, so that a mix-up shows. */
export const smallArchitecture: ArchitectureV1 = {
  ...genesisArchitecture('small'),
  width: 24,
  layers: 2,
  heads: 6,
  keyValueHeads: 3,
  headWidth: 4,
  experts: 5,
  expertWidth: 10,
  contextTokens: 16
}

export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'blyan-experts-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export function writePart(
  folder: string,
  name: string,
  shape: readonly number[],
  data: Float32Array,
  file = name
): PartFile {
  const path = join(folder, `${file}.tblock`)
  writeFileSync(path, Buffer.concat([Buffer.alloc(dataOffsetBytes), littleEndianBytes(data)]))
  return { name, path, dataOffsetBytes, dataLengthBytes: data.byteLength, shape, dtype: 'fp32' }
}

/** A file that holds `data`, the whole data of a part. */
export function writePartBytes(folder: string, part: PartDescription, data: Uint8Array): PartFile {
  const path = join(folder, `${part.name}.tblock`)
  writeFileSync(path, Buffer.concat([Buffer.alloc(dataOffsetBytes), data]))
  const { name, dataLengthBytes, shape, dtype } = part
  return { name, path, dataOffsetBytes, dataLengthBytes, shape, dtype }
}

/** Genesis parameters with weights made `factor` times as large, so that every path through the model counts. */
export function writeModel(
  folder: string,
  architecture: Architecture,
  factor = 1
): { parts: PartFile[]; parameters: Map<string, Float32Array> } {
  const parts: PartFile[] = []
  const parameters = new Map<string, Float32Array>()
  for (const { name, shape, data } of genesisParts(architecture)) {
    const scaled = data.map((value, i) => (value === 1 ? 1 + 0.1 * Math.sin(i) : value * factor))
    parameters.set(name, factor === 1 ? data : scaled)
    parts.push(writePart(folder, name, shape, parameters.get(name)!))
  }
  return { parts, parameters }
}

export async function startEngine(
  t: TestContext,
  tensorFolder: string,
  limits: Partial<EngineLimits> = {},
  threads = 1
): Promise<Engine> {
  const engine = createEngine({ tensorFolder, threads, logger: silentLogger, limits: { backOffMs: 10, ...limits } })
  t.after(() => engine.stop())
  await engine.start()
  return engine
}

export async function collect(stream: AsyncIterable<Uint8Array>): Promise<number[]> {
  const bytes: number[] = []
  for await (const chunk of stream) bytes.push(...chunk)
  return bytes
}

export async function until(condition: () => boolean | Promise<boolean>, timeoutMs = 5000): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error('the condition did not come true in time')
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
