import { randomBytes } from 'node:crypto'
import type { SigningKey } from '../../codec/index.ts'
import {
  type AnsweredLoad,
  type Arithmetic,
  commitmentOf,
  commitmentSigningBytes,
  committedLoads
} from '../../guardian/index.ts'
import type { SignedCommitment } from './audit-types.ts'

/** Signs what a holder answers to one gateway, one commitment following the other. One for each channel. */
export interface Committer {
  /** In the order in which answers are sent. */
  commit(call: {
    readonly request: string
    readonly layer: number
    readonly loads: readonly AnsweredLoad[]
  }): SignedCommitment
}

export type CommitterNeeds = {
  /** The node key. */
  readonly key: Pick<SigningKey, 'publicKey' | 'sign'>
  /** SHA-256 of the genesis. */
  readonly network: Uint8Array
  /** Peer id at the other end of the channel. */
  readonly gateway: string
  /** How the engine here computes parts of this precision. */
  readonly arithmetic: (weights: string) => Arithmetic
}

const sessionBytes = 16

export function createCommitter(needs: CommitterNeeds): Committer {
  return new SessionCommitter(needs)
}

class SessionCommitter implements Committer {
  readonly #needs: CommitterNeeds
  readonly #session: Uint8Array = new Uint8Array(randomBytes(sessionBytes))
  #number = 0
  #previous: Uint8Array = new Uint8Array(32)

  constructor(needs: CommitterNeeds) {
    this.#needs = needs
  }

  commit({ request, layer, loads }: Parameters<Committer['commit']>[0]): SignedCommitment {
    const { key, network, gateway, arithmetic } = this.#needs
    const { bytes, digest } = commitmentOf({
      network,
      gateway,
      holder: key.publicKey,
      session: this.#session,
      number: this.#number,
      previous: this.#previous,
      request,
      layer,
      arithmetic: arithmetic(loads[0]!.weights),
      loads: committedLoads(loads)
    })
    this.#number++
    this.#previous = digest
    return { bytes, signature: key.sign(commitmentSigningBytes(network, digest)) }
  }
}
