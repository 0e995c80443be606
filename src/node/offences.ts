import { publicKeyToText } from '../codec/index.ts'
import type { Committee } from '../consensus/index.ts'
import type { Chains } from '../dag/index.ts'
import { offenceKey } from '../ledger/index.ts'

const epochsMax = 1024

/** How often each validator was proven to have signed twice: once an epoch at most. Each proof is a block on chain A. */
export class OffenceCount {
  readonly #chains: Pick<Chains, 'stateValue' | 'head'>
  #counted = ''
  #byKey = new Map<string, number>()

  constructor(chains: Pick<Chains, 'stateValue' | 'head'>) {
    this.#chains = chains
  }

  /** By key, of the validators of now; those who have none are left out. */
  of(committee: Committee): ReadonlyMap<string, number> {
    const moment = `${committee.epoch}/${this.#chains.head('A').height}`
    if (moment !== this.#counted) {
      this.#counted = moment
      this.#byKey = this.#count(committee)
    }
    return this.#byKey
  }

  #count(committee: Committee): Map<string, number> {
    const counts = new Map<string, number>()
    for (const { publicKey } of committee.validators) {
      const key = publicKeyToText(publicKey)
      let count = 0
      for (let epoch = Math.max(0, committee.epoch - epochsMax + 1); epoch <= committee.epoch; epoch++)
        if (this.#chains.stateValue(offenceKey(epoch, key)) !== undefined) count++
      if (count > 0) counts.set(key, count)
    }
    return counts
  }
}
