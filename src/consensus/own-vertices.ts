import { isBlyanError } from '../errors/index.ts'
import type { Effect } from './core/replica-types.ts'
import type { CheckpointVote, Vertex } from './core/vertex.ts'
import { vertexSigningBytes } from './core/vertex.ts'
import type { CheckpointSummary, ExecutionPort } from './execution-port.ts'
import type { Journal } from './journal.ts'
import type { Signer } from './signer.ts'

export type OwnVerticesNeeds = {
  readonly genesisDigest: Uint8Array
  readonly journal: Journal
  readonly execution: Pick<ExecutionPort, 'checkpointMessage'>
  readonly logger: { warn(fields: object, text: string): void }
}

/** Signs what the replica proposes and what was executed, in the order that survives a power cut. */
export class OwnVertices {
  readonly #needs: OwnVerticesNeeds

  constructor(needs: OwnVerticesNeeds) {
    this.#needs = needs
  }

  /**
   * Stored first, then the floor, then shown: whatever is lost in between, nothing else is ever signed for the round.
   * Undefined when the floor forbids it. Throws what the disk throws.
   */
  async sign(signer: Signer, effect: Extract<Effect, { kind: 'sign' }>): Promise<Vertex | undefined> {
    const { header, headerBytes, digest, body } = effect
    try {
      const message = vertexSigningBytes(this.#needs.genesisDigest, digest)
      const signature = signer.signVertex({ epoch: header.epoch, round: header.round, digest }, message)
      const vertex = { digest, header, headerBytes, signature, body }
      await this.#needs.journal.keepOwn(vertex)
      signer.keep()
      return vertex
    } catch (error) {
      if (!isBlyanError(error, 'SIGN_BELOW_FLOOR') && !isBlyanError(error, 'SIGN_TWICE')) throw error
      this.#needs.logger.warn({ code: error.code, round: header.round }, error.message)
      return undefined
    }
  }

  /** Our signature on a checkpoint, if there is one and we may give it. */
  vote(
    signer: Signer | undefined,
    checkpoint: CheckpointSummary | undefined
  ): { checkpoint?: { sequence: number; digest: string; vote?: CheckpointVote } } {
    if (checkpoint === undefined) return {}
    const { sequence, digest } = checkpoint
    const signature = signer?.signCheckpoint({ sequence, digest }, this.#needs.execution.checkpointMessage(digest))
    return {
      checkpoint: { sequence, digest, ...(signature === undefined ? {} : { vote: { sequence, digest, signature } }) }
    }
  }
}
