import { randomBytes } from 'node:crypto'
import {
  type Arithmetic,
  type CanaryPool,
  createCanaryPool,
  fingerprintOf,
  rowDifference,
  tolerances
} from '../../guardian/index.ts'
import type { CallVerdict, Recheck } from './audit-types.ts'

/**
 * Canaries: rows of real calls that were computed at home, asked of a holder later when its own rows cannot be: the weights
 * are not here any more. To the holder they look like any other call.
 */
export interface CanaryChecks {
  /** A row that was computed here and found right. */
  keep(recheck: Recheck, output: Float32Array, arithmetic: Arithmetic, holder: string): void
  /** One that this holder was not asked before. */
  draw(holder: string, weights: ReadonlySet<string>): Drawn | undefined
}

export type Drawn = {
  readonly recheck: Recheck
  /** What the answer says about who gave it. */
  judge(output: Float32Array, arithmetic: Arithmetic): CallVerdict
}

const poolBytesMax = 4 * 1024 * 1024
/** Fingerprints are a little nearer to or farther from each other than rows are. */
const fingerprintRoom = 1.5

export function createCanaryChecks(): CanaryChecks {
  return new PooledCanaries()
}

class PooledCanaries implements CanaryChecks {
  readonly #pool: CanaryPool = createCanaryPool(poolBytesMax)
  readonly #seed = new Uint8Array(randomBytes(32))

  keep(recheck: Recheck, output: Float32Array, arithmetic: Arithmetic, holder: string): void {
    this.#pool.keep({ ...recheck, fingerprint: fingerprintOf(output, this.#seed), arithmetic, holder })
  }

  draw(holder: string, weights: ReadonlySet<string>): Drawn | undefined {
    const canary = this.#pool.take(holder, weights)
    if (canary === undefined) return undefined
    const { model, layer, weights: named, width, input, fingerprint } = canary
    return {
      recheck: { model, layer, weights: named, width, input },
      judge: (output, arithmetic) => {
        const difference = rowDifference(fingerprint, fingerprintOf(output, this.#seed))
        if (difference === undefined || arithmetic !== canary.arithmetic) return 'inconclusive'
        return difference <= tolerances[arithmetic] * fingerprintRoom ? 'right' : 'wrong'
      }
    }
  }
}
