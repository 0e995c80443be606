import { type CheckpointVote, votesPerVertexMax } from './vertex.ts'
import { sequencesPerKept } from './votes.ts'

/**
 * Own signatures on checkpoints that no own vertex carries yet. After a long absence, one checkpoint in so many and the
 * newest ones are kept: they cover all between them.
 */
export class VotesToSend {
  readonly #votes: CheckpointVote[] = []

  get isEmpty(): boolean {
    return this.#votes.length === 0
  }

  add(vote: CheckpointVote): void {
    this.#votes.push(vote)
    if (this.#votes.length <= votesPerVertexMax) return
    const [oldest] = this.#votes.splice(-votesPerVertexMax - 1, 1)
    if (oldest!.sequence % sequencesPerKept === 0) this.#votes.splice(-votesPerVertexMax, 0, oldest!)
  }

  /** The oldest, as many as a vertex holds. */
  take(): CheckpointVote[] {
    return this.#votes.splice(0, votesPerVertexMax)
  }
}
