import type { OperatorView, StakeRulesView } from './staking-types.ts'

/** What people are told of the validators, and what they may ask for. */
export type ValidatorsView = {
  readonly epoch: number
  /** When the epoch began. */
  readonly since: string
  /** Commit that ends the epoch, once it is known. */
  readonly closesAt: number | null
  readonly quorumWeight: number
  readonly members: readonly ValidatorView[]
  readonly candidates: readonly CandidateView[]
  /** Names of those who make the next set, while changes are pending. */
  readonly next: readonly string[] | null
  /** Validator keys of this node, and whether the set has them. */
  readonly own: readonly { readonly name: string; readonly key: string; readonly isMember: boolean }[]
  /** Where stake decides: who answers for validators, and what it takes. Empty and null where approvals do. */
  readonly operators: readonly OperatorView[]
  readonly stakeRules: StakeRulesView | null
}

export type ValidatorView = {
  readonly name: string
  readonly key: string
  readonly peerId: string
  readonly origin: string
  readonly region: string
  readonly weight: number
  readonly leaves: boolean
  /** The key that takes the place of this one. */
  readonly newKey: string | null
  /** Names of those who approve its removal. */
  readonly removal: readonly string[]
}

export type CandidateView = {
  readonly name: string
  readonly key: string
  readonly peerId: string
  readonly origin: string
  readonly region: string
  /** Names of those who approve. */
  readonly approvals: readonly string[]
  /** Whether enough approve: it is in the next set. */
  readonly isApproved: boolean
}

/** A change that this node asks for: with its own validator key, or with its account where stake decides. */
export type ValidatorChange =
  | {
      readonly change: 'join'
      readonly name?: string | undefined
      readonly origin?: string | undefined
      readonly region?: string | undefined
      /** Where stake decides. */
      readonly commissionBasisPoints?: number | undefined
      readonly website?: string | undefined
    }
  /** Where stake decides: null leaves a part as it is. */
  | {
      readonly change: 'edit'
      readonly name: string | null
      readonly origin: string | null
      readonly region: string | null
      readonly commissionBasisPoints: number | null
      readonly website: string | null
    }
  /** Where stake decides. */
  | { readonly change: 'unjail' }
  | { readonly change: 'approve' | 'remove'; readonly validator: string }
  | { readonly change: 'leave' }
  /** `key` is the name of a validator key in the data folder: the newest one unless given. */
  | { readonly change: 'rotate'; readonly key?: string | undefined }
  | {
      readonly change: 'withdraw'
      readonly what: 'approve' | 'remove' | 'leave' | 'rotate'
      readonly validator?: string | undefined
    }

export type OffenceView = {
  readonly epoch: number
  readonly key: string
  /** As it was called in the set of now; null when it is not in it. */
  readonly name: string | null
  readonly round: number
  /** Digests of the two headers. */
  readonly first: string
  readonly second: string
  readonly reporter: string
  readonly time: string
}
