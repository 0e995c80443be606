/** What people are told of operators and stake. Amounts are base units as decimal strings, times RFC 3339. */
export type OperatorView = {
  /** Account that answers for the validator. */
  readonly operator: string
  readonly name: string
  /** Consensus key that the next set is to know. */
  readonly key: string
  readonly peerId: string
  readonly origin: string
  readonly region: string
  readonly website: string
  readonly commissionBasisPoints: number
  /** Bonded with it by everybody, and by its own account. */
  readonly stake: string
  readonly selfStake: string
  readonly state: 'bonded' | 'unbonding' | 'unbonded' | 'jailed' | 'tombstoned'
  /** The same without regard to jail. */
  readonly status: 'bonded' | 'unbonding' | 'unbonded'
  /** When a validator that left the set is unbonded. */
  readonly unbonded: string | null
  readonly jailedUntil: string | null
  readonly jailReason: string | null
  readonly isLeaving: boolean
  readonly isMember: boolean
  readonly inNextSet: boolean
  /** In the set of now; null when it is not in it. */
  readonly weight: number | null
  /** Share of the period until now in which it was there; null when it is not in the set. */
  readonly presentPpm: number | null
  /** It alone has more than a third of the weight: without it nothing is final. */
  readonly hasThird: boolean
  /** Whether the account of this node answers for it. */
  readonly isOwn: boolean
}

export type StakeRulesView = {
  readonly weights: 'equal' | 'stake'
  readonly selfStakeMin: string
  readonly bondMin: string
  readonly validatorsMax: number
  readonly unbondingMs: number
  readonly periodMs: number
  readonly totalBonded: string
}

export type StakeView = {
  readonly account: string
  /** Bonded now, without what is on its way out. */
  readonly total: string
  readonly bonds: readonly {
    readonly operator: string
    readonly name: string
    readonly amount: string
    /** Not claimed yet: by stake, and the commission of an operator. */
    readonly earned: string
    readonly commission: string
  }[]
  readonly unbonding: readonly {
    readonly number: number
    readonly operator: string
    readonly name: string
    readonly amount: string
    readonly began: string
    readonly free: string
  }[]
}
