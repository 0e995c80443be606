import type { Architecture } from '../model/architecture.ts'
import type { PartFile } from './part-file.ts'

export type TrainingSettings = {
  /** Sequences of one batch, which is one step. */
  readonly sequences: number
  readonly sequenceTokens: number
  readonly learningRate: number
  /** The rate grows in a line over so many steps, from the first step ever on. */
  readonly warmUpSteps: number
  /** From `fromStep` on the rate falls in a line, to nothing at `toStep` and after it. Unless given it never falls. */
  readonly coolDown?: { readonly fromStep: number; readonly toStep: number } | undefined
  readonly weightDecay: number
  /** Gradients whose norm over all trained parts is larger are scaled down to it. */
  readonly clipNorm: number
  /** Weight of the loss that spreads tokens over experts. */
  readonly balance: number
  /** Weight of the loss that keeps router logits small. */
  readonly zLoss: number
  /**
   * Sequences of one run of the graph, gradients of whose runs are averaged. Unless given, as many as take about 50 ms.
   * A prompt waits for one run; fewer runs a step take less time in all. Other numbers of it give other roundings.
   */
  readonly sequencesPerRun?: number | undefined
}

export type TrainingStep = {
  /** From 1; goes on where a checkpoint stopped. */
  readonly step: number
  /** Cross-entropy alone, mean over the batch, before the step. */
  readonly lossNats: number
  readonly tokens: number
  /** Before clipping. */
  readonly gradientNorm: number
  /** What it took in the engine, prompts that went first included, and how much of that was inside ONNX Runtime. */
  readonly elapsedMs: number
  readonly runtimeMs: number
  /** Of `elapsedMs`: the time it stood aside for prompts. */
  readonly waitedMs: number
}

export type OpenTrainingRequest = {
  /** A name of the caller's choice, for messages. */
  readonly model: string
  readonly architecture: Architecture
  /** All parts of the architecture, in fp32, with the short names of `describeModel`. */
  readonly parts: readonly PartFile[]
  /** Short names of the parts to train; `none` is enough to score. */
  readonly trained: readonly string[] | 'all' | 'none'
  readonly settings: TrainingSettings
  /** A file that `save` wrote with the same architecture, trained parts and settings. Where `parts` are newer than its base, it is rebased and keeps its work. */
  readonly resume?: string | undefined
}

export type TrainRequest = {
  /** Each [sequences x (sequenceTokens + 1)] tokens; the next one is asked for while a step runs. */
  readonly batches: Iterable<Uint32Array> | AsyncIterable<Uint32Array>
  /** A step that has not changed anything yet is given up, one that has is still yielded; then the reason is thrown. */
  readonly signal?: AbortSignal | undefined
}

export type ScoreRequest = {
  /** [n x (sequenceTokens + 1)] */
  readonly tokens: Uint32Array
  /** Values added to base parts, by short name. */
  readonly changes?: ReadonlyMap<string, Float32Array> | undefined
  /** Stand in for base parts, this once; `changes` are added to them. */
  readonly parts?: readonly PartFile[] | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * One model that is trained, or only scored, in the engine process, as background work: between two graphs of at most some
 * 50 ms prompts go first. Calls run one after the other. All may throw what `Engine` throws; after ENGINE_LOST the training
 * is gone for good: open it again from its checkpoint.
 */
export interface Training {
  /** Steps made so far, those before the checkpoint included. */
  readonly step: number
  /**
   * One step for each turn of the loop, none ahead of it; leaving the loop leaves all as the last yielded step left it.
   * Throws TRAINING_NOT_FINITE when loss or gradients are no numbers; nothing has changed then.
   */
  train(request: TrainRequest): AsyncIterable<TrainingStep>
  /** By short name of each trained part: its values now minus its base. */
  delta(): Promise<ReadonlyMap<string, Float32Array>>
  /**
   * Takes new base values for the parts given, which may be none. With `keep` what was trained since the old base stays on top
   * of the new one; without, every trained part starts from its base again, given or not. The moments of the optimiser stay.
   */
  rebase(request: { readonly parts: readonly PartFile[]; readonly keep: boolean }): Promise<void>
  /** Mean nats per token of each sequence, of base and changes, not of what is being trained. Infinity where it is no number. */
  score(request: ScoreRequest): Promise<Float64Array>
  /** Writes a checkpoint; an old file stands until the new one is whole. Resuming goes on to the bit on the same device. Throws DISK_FULL. */
  save(path: string): Promise<void>
  close(): Promise<void>
}
