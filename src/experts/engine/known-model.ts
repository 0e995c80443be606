import type { Architecture } from '../model/architecture.ts'
import type { CallExperts } from './engine-types.ts'
import type { Frame } from './frame-channel.ts'
import { type PartFile, partFileToFrame } from './part-file.ts'

/** What the daemon keeps of a model, so that a new engine process can be given it again. */
export type KnownModel = {
  readonly architecture: Architecture
  readonly parts: Map<string, PartFile>
  readonly callExperts: CallExperts | undefined
  readonly memoryBytesMax: number
  elsewhere: readonly string[]
  /** The process that was asked to load it, and its answer. */
  loading: { readonly generation: number; readonly answer: Promise<Frame> } | undefined
}

export function loadModelFrame(model: string, known: KnownModel): Frame {
  return {
    model,
    architecture: { ...known.architecture, router: { ...known.architecture.router } },
    parts: [...known.parts.values()].map(partFileToFrame),
    canCall: known.callExperts !== undefined,
    memoryBytesMax: known.memoryBytesMax,
    elsewhere: known.elsewhere
  }
}
