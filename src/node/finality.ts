import type { Committee } from '../consensus/index.ts'
import type { Chains } from '../dag/index.ts'
import { mayDegrade } from './quorum-health.ts'

type Source = { readonly chains: Pick<Chains, 'epoch' | 'certifiedCommitIndex'> }

/** The validators of now. */
export function committeeOf({ chains }: Source): Committee {
  return chains.epoch.committee
}

/**
 * What an executed event is. Where a full quorum orders, execution is final. Where fewer order (genesis
 * `consensus.degraded`), only a checkpoint with all the signatures makes it so; an epoch that has ended had one.
 */
export function finalityOf(source: Source, commitIndex: number): 'final' | 'degraded' {
  if (!mayDegrade(committeeOf(source))) return 'final'
  return commitIndex <= source.chains.certifiedCommitIndex ? 'final' : 'degraded'
}
