import type { StateView } from '../../dag/index.ts'

/** Digests of so many checkpoints are remembered: votes about older ones say nothing. */
const digestsKept = 64
const digestKey = (sequence: number): string => `rewards/digest/${sequence % digestsKept}`

type Digest = { readonly sequence: number; readonly digest: string }

/** Remembers what was made. */
export function noteCheckpoint(state: StateView, { sequence, digest }: Digest): void {
  state.set(digestKey(sequence), { sequence, digest })
}

/** Votes for something else than what was executed at that place. What is not known (any more) is not judged. */
export function wrongVotes(
  state: StateView,
  votes: readonly { readonly sequence: number; readonly digest: string }[]
): number {
  return votes.filter(({ sequence, digest }) => {
    const known = state.get(digestKey(sequence)) as Digest | undefined
    return known !== undefined && known.sequence === sequence && known.digest !== digest
  }).length
}

/** Digest of the checkpoint that was executed at a sequence, while it is remembered. */
export function executedDigest(state: StateView, sequence: number): string | undefined {
  const known = state.get(digestKey(sequence)) as Digest | undefined
  return known?.sequence === sequence ? known.digest : undefined
}
