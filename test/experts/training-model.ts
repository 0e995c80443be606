import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { type ErrorCode, isBlyanError } from '../../src/errors/index.ts'
import type {
  ArchitectureV1,
  Engine,
  OpenTrainingRequest,
  PartFile,
  Training,
  TrainingSettings,
  TrainingStep
} from '../../src/experts/index.ts'
import { smallArchitecture, startEngine, temporaryFolder, writeModel } from './model-folder.ts'

export const settings: TrainingSettings = {
  sequences: 3,
  sequenceTokens: 8,
  learningRate: 0.003,
  warmUpSteps: 2,
  weightDecay: 0.1,
  clipNorm: 1,
  balance: 0.01,
  zLoss: 0.001
}

/** Batches of a pattern that a small model can learn, another one for each number. */
export function batchOf(number: number, { sequences, sequenceTokens }: TrainingSettings = settings): Uint32Array {
  const row = sequenceTokens + 1
  return Uint32Array.from({ length: sequences * row }, (_, i) => {
    const [sequence, at] = [Math.floor(i / row), i % row]
    return 60 + ((at * 7 + sequence * 3 + number) % 11)
  })
}

export function* batchesFrom(number: number, count: number, of: TrainingSettings = settings): Generator<Uint32Array> {
  for (let i = 0; i < count; i++) yield batchOf(number + i, of)
}

export type Trainable = {
  readonly engine: Engine
  readonly folder: string
  readonly parts: readonly PartFile[]
  readonly parameters: ReadonlyMap<string, Float32Array>
  open(change?: Partial<OpenTrainingRequest>): Promise<Training>
}

export async function startTrainable(
  t: TestContext,
  architecture: ArchitectureV1 = smallArchitecture,
  limits: Parameters<typeof startEngine>[2] = {}
): Promise<Trainable> {
  const folder = temporaryFolder(t)
  const { parts, parameters } = writeModel(folder, architecture)
  const engine = await startEngine(t, folder, limits)
  const request: OpenTrainingRequest = { model: 'm', architecture, parts, trained: 'all', settings }
  return { engine, folder, parts, parameters, open: change => engine.openTraining({ ...request, ...change }) }
}

export async function trainSteps(
  training: Training,
  batches: Iterable<Uint32Array>,
  signal?: AbortSignal
): Promise<TrainingStep[]> {
  const steps: TrainingStep[] = []
  for await (const step of training.train({ batches, signal })) steps.push(step)
  return steps
}

export async function refusal(promise: Promise<unknown>, code: ErrorCode): Promise<void> {
  await assert.rejects(
    promise,
    error => isBlyanError(error) && assert.equal(error.code, code, error.message) === undefined
  )
}

/** The bits of all values, so that -0 is not 0. */
export function bitsOf(delta: ReadonlyMap<string, Float32Array>): Map<string, string> {
  return new Map([...delta].map(([name, values]) => [name, Buffer.from(values.buffer).toString('base64')]))
}
