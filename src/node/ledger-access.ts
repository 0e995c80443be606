import type { Genesis, StateView } from '../dag/index.ts'

/** The state of the ledger, for what is shown of it. */
export type LedgerAccess = {
  readonly genesis: Genesis
  readonly state: StateView
  /** In the order of their keys, as the database has them. */
  entries(prefix: string, limit: number): AsyncIterable<readonly [key: string, value: unknown]>
  /** Account of this node, and the validator keys it has. */
  readonly account: string
  readonly validatorKeys: readonly string[]
}
