/**
 * The signer floor: what this key has signed last, and so what it may sign next.
 *
 * A validator that signs two different vertices for one slot can be slashed, so the floor is
 * written durably before a signature leaves the process, apart from everything else it stores.
 * Source: docs/design.md, "Never twice".
 */
export type SignerFloor = {
  readonly epoch: number
  readonly round: number
  /** SHA-256 of the signed header, hex. */
  readonly digest: string
  /** The last checkpoint signed: one digest per sequence, ever. */
  readonly checkpointSequence: number
  readonly checkpointDigest: string
}

export type SigningVerdict =
  | { readonly allowed: true; readonly floor: SignerFloor }
  | { readonly allowed: false; readonly code: 'SIGN_BELOW_FLOOR' | 'SIGN_TWICE'; readonly floor: SignerFloor }

export const emptyFloor: SignerFloor = { epoch: 0, round: 0, digest: '', checkpointSequence: 0, checkpointDigest: '' }

/** Decides whether a header may be signed above `floor`. Signing the same bytes again is allowed. */
export function maySignVertex(
  floor: SignerFloor,
  next: { epoch: number; round: number; digest: string }
): SigningVerdict {
  if (next.epoch > floor.epoch || (next.epoch === floor.epoch && next.round > floor.round))
    return { allowed: true, floor: { ...floor, ...next } }
  if (next.epoch === floor.epoch && next.round === floor.round) {
    return next.digest === floor.digest ? { allowed: true, floor } : { allowed: false, code: 'SIGN_TWICE', floor }
  }
  return { allowed: false, code: 'SIGN_BELOW_FLOOR', floor }
}

/** The same for checkpoints: at most one digest per sequence. */
export function maySignCheckpoint(floor: SignerFloor, next: { sequence: number; digest: string }): SigningVerdict {
  if (next.sequence > floor.checkpointSequence) {
    return { allowed: true, floor: { ...floor, checkpointSequence: next.sequence, checkpointDigest: next.digest } }
  }
  if (next.sequence === floor.checkpointSequence && next.digest === floor.checkpointDigest)
    return { allowed: true, floor }
  return { allowed: false, code: next.sequence === floor.checkpointSequence ? 'SIGN_TWICE' : 'SIGN_BELOW_FLOOR', floor }
}
