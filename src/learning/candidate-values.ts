import { readPartValues, type TensorInfo, type TensorStore } from '../tiles/index.ts'
import type { Candidate, MeasurementReason } from './chain/index.ts'
import { roundRules } from './core/rules.ts'
import { type Changes, faultOfChange, likeness } from './core/verdict.ts'
import type { LearningChain } from './learning-chain.ts'
import type { ModelParts } from './model-parts.ts'
import { type Rival, rivalChanges } from './rival-changes.ts'

export type ValuesNeeds = {
  readonly chain: LearningChain
  readonly tensors: Pick<TensorStore, 'fetchTensor' | 'info'>
  readonly model: {
    readonly parts: ModelParts
    ensure(name: string, tensor: string, signal?: AbortSignal): Promise<TensorInfo>
  }
  readonly signal: AbortSignal
}

/** What is wrong with the numbers of a candidate, before any model is run with them. Throws TENSOR_ codes where they cannot be had in time. */
export async function examineValues(
  needs: ValuesNeeds,
  candidate: Candidate,
  fetchMs: number
): Promise<MeasurementReason | undefined> {
  const { model, signal } = needs
  const fetchSignal = AbortSignal.any([signal, AbortSignal.timeout(fetchMs)])
  const bases = new Map<string, Float32Array>()
  const changes = new Map<string, Float32Array>()
  let isChanged = false
  for (const { name, tensor, base } of candidate.parts) {
    signal.throwIfAborted()
    const part = model.parts.named(name)
    const info = await model.ensure(name, tensor, fetchSignal)
    const isOfShape = info.dtype === 'fp32' && info.shape.join() === part?.shape.join()
    if (!isOfShape) return 'poisoned'
    const before = await readPartValues(await model.ensure(name, base, fetchSignal))
    const values = await readPartValues(info)
    const fault = faultOfChange([{ base: before, values }])
    if (fault === 'poisoned') return fault
    if (fault === undefined) isChanged = true
    // A round's candidate is the sum of many deltas, each of which was held against the others before.
    if (candidate.source === 'round') continue
    bases.set(name, before)
    changes.set(
      name,
      values.map((value, at) => value - before[at]!)
    )
  }
  if (!isChanged) return 'no-change'
  return candidate.source === 'proposal' && (await isCopied(needs, candidate, bases, changes)) ? 'copied' : undefined
}

async function isCopied(needs: ValuesNeeds, candidate: Candidate, bases: Changes, changes: Changes): Promise<boolean> {
  const { chain, tensors, model, signal } = needs
  const rivals = await rivalChanges({ chain, tensors, parts: model.parts, signal }, candidate, bases)
  const own = rivals.filter(({ isOwn }) => isOwn)
  // A thief's copy must not stand against the one it was made of.
  const isOfOwn = (rival: Rival): boolean =>
    own.some(earlier => earlier.candidate < rival.candidate && isLike(rival.changes, earlier.changes))
  return rivals.some(rival => !rival.isOwn && isLike(changes, rival.changes) && !isOfOwn(rival))
}

function isLike(changes: Changes, other: Changes): boolean {
  return likeness(changes, other) >= roundRules.copyCosine
}
