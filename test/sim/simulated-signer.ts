import {
  emptyFloor,
  maySignCheckpoint,
  maySignVertex,
  type SignerFloor
} from '../../src/consensus/core/signer-floor.ts'
import type { CheckpointVote, VertexHeader } from '../../src/consensus/core/vertex.ts'
import type { Vertex } from '../../src/consensus/index.ts'
import { checkpointMessage, type Keyring, vertexMessage } from './keyring.ts'
import type { Checkpoint } from './simulated-ledger.ts'

export type Proposal = {
  readonly header: VertexHeader
  readonly headerBytes: Uint8Array
  readonly digest: string
  readonly body: Uint8Array
}

/** The keys of a node and what each has signed last, apart from the store: the same steps as src/consensus/signer.ts. */
export class SimulatedSigner {
  readonly #keyring: Keyring
  /** What is on disk. A key that was here and has no floor now has to ask the others. */
  readonly #kept = new Map<string, SignerFloor>()
  readonly #used = new Set<string>()
  #floor: SignerFloor | undefined

  constructor(keyring: Keyring) {
    this.#keyring = keyring
  }

  /** The floor to start from; undefined when the key's is lost. */
  open(key: string | undefined): SignerFloor | undefined {
    if (key === undefined) {
      this.#floor = undefined
      return emptyFloor
    }
    if (!this.#used.has(key)) {
      this.#used.add(key)
      this.#kept.set(key, emptyFloor)
    }
    this.#floor = this.#kept.get(key)
    return this.#floor
  }

  lose(): void {
    this.#kept.clear()
  }

  get round(): number {
    return this.#floor?.round ?? 0
  }

  get epoch(): number {
    return this.#floor?.epoch ?? 0
  }

  /** Signs if the floor allows it. The floor is raised on disk by `keep`, before the vertex may be shown. */
  sign(key: string, proposal: Proposal): Vertex | undefined {
    const { header, digest } = proposal
    if (this.#floor === undefined) return undefined
    const verdict = maySignVertex(this.#floor, { epoch: header.epoch, round: header.round, digest })
    if (!verdict.allowed) return undefined
    this.#floor = verdict.floor
    return { ...proposal, signature: this.#keyring.sign(key, vertexMessage(digest)) }
  }

  /** A vertex that the store holds and the floor does not know. */
  cover(key: string, vertex: { epoch: number; round: number; digest: string }): void {
    if (this.#floor === undefined) return
    const verdict = maySignVertex(this.#floor, vertex)
    if (!verdict.allowed) return
    this.#floor = verdict.floor
    this.keep(key)
  }

  keep(key: string): void {
    if (this.#floor !== undefined) this.#kept.set(key, this.#floor)
  }

  vote(
    key: string | undefined,
    checkpoint: Checkpoint | undefined
  ): { checkpoint?: { sequence: number; digest: string; vote?: CheckpointVote } } {
    if (checkpoint === undefined) return {}
    const { sequence, digest } = checkpoint
    const verdict = this.#floor === undefined ? undefined : maySignCheckpoint(this.#floor, { sequence, digest })
    if (key === undefined || verdict?.allowed !== true) return { checkpoint: { sequence, digest } }
    this.#floor = verdict.floor
    this.keep(key)
    const signature = this.#keyring.sign(key, checkpointMessage(digest))
    return { checkpoint: { sequence, digest, vote: { sequence, digest, signature } } }
  }

  /** The floor is lost and was found by asking. */
  recovered(key: string, floor: Pick<SignerFloor, 'epoch' | 'round' | 'checkpointSequence'>): void {
    if (this.#floor !== undefined) return
    this.#floor = { ...emptyFloor, ...floor }
    this.keep(key)
  }
}
