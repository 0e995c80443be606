import { type SigningKey, sha256 } from '../../src/codec/index.ts'
import {
  type Health,
  holdingOf,
  judgedHealth,
  lotOf,
  type Responsibility,
  responsibilities
} from '../../src/guardian/index.ts'
import { accountOf } from '../dag/small-network.ts'
import { LedgerWorld, operatorKey, type WorldOptions } from '../ledger/ledger-world.ts'

export const owner = accountOf(operatorKey(0))
export const account = (place: number): string => accountOf(operatorKey(place))

/** Seconds instead of minutes. */
export const quickParameters = {
  healthSettleMs: '2000',
  returnMs: '5000',
  returnStepMs: '1000',
  observationMs: '60000',
  degradedHolderMs: '20000',
  dutyMs: '10000'
}

/** A ledger whose validators say how healthy nodes are, with a lot in every word as a node does it. */
export class ContinuityWorld extends LedgerWorld {
  readonly #lots = new Map<string, number>()

  constructor(options: WorldOptions = {}) {
    super({ ...options, parameters: { ...quickParameters, ...options.parameters } })
  }

  /** The code of its refusal, or nothing. */
  observe(place: number, health: Health, subject: string = owner, seed = ''): string {
    return this.observeAs(operatorKey(place), health, subject, seed)
  }

  observeAs(key: SigningKey, health: Health, subject: string, seed = ''): string {
    const author = accountOf(key)
    const count = this.#lots.get(author) ?? 0
    const secret = (number: number): Uint8Array => sha256(Buffer.from(`${author}/${number}/${seed}`))
    const refusal = this.apply(key, 'health-observation', {
      subject,
      health,
      responseMs: null,
      issues: health === 'failed' ? ['silent'] : [],
      lot: hex(sha256(secret(count + 1))),
      opens: lotOf(this.state, author) === undefined ? '' : hex(secret(count))
    })
    if (refusal === '') this.#lots.set(author, count + 1)
    return refusal
  }

  observeAll(places: readonly number[], health: Health, subject: string = owner): void {
    for (const place of places) {
      const refusal = this.observe(place, health, subject)
      if (refusal !== '') throw new Error(`observation refused: ${refusal}`)
    }
  }

  /** Commits until this much time has passed, a second each. */
  pass(seconds: number, signers?: readonly number[]): void {
    for (let second = 0; second < seconds; second++) this.commit(1000, signers)
  }

  health(subject: string = owner): Health {
    return judgedHealth(this.state, this.genesis, subject).health
  }

  holder(name: Responsibility): string {
    return holdingOf(this.state, name).holder
  }

  get holders(): string[] {
    return responsibilities.map(name => this.holder(name))
  }
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
