import type { Chains } from '../dag/index.ts'
import { BlyanError } from '../errors/index.ts'
import type { ChainId } from './blyan-node.ts'

/** What is not here: because it never was, or because this node does not keep it. */
export function missingEvent(chains: Chains, eventId: string): BlyanError {
  const { firstEvent } = chains.history
  return firstEvent === 1
    ? new BlyanError('EVENT_UNKNOWN', { eventId })
    : new BlyanError('EVENT_PRUNED', { eventId, eventFirst: firstEvent })
}

export function missingCheckpoint(chains: Chains, sequence: number): BlyanError {
  const { afterCheckpoint } = chains.history
  return sequence > 0 && sequence <= afterCheckpoint
    ? new BlyanError('CHECKPOINT_PRUNED', { sequence, after: afterCheckpoint })
    : new BlyanError('CHECKPOINT_UNKNOWN', { sequence })
}

/** Undefined when the chain simply ends before `index`. */
export function missingBlock(chains: Chains, chain: ChainId, index: number): BlyanError | undefined {
  return index < chains.head(chain).height ? new BlyanError('BLOCK_PRUNED', { chain, index }) : undefined
}
