import type { ErrorEntry } from './error-entry.ts'
import { chainErrors } from './table-chains.ts'
import { consensusErrors } from './table-consensus.ts'
import { continuityErrors } from './table-continuity.ts'
import { expertErrors } from './table-experts.ts'
import { giftedErrors } from './table-gifted.ts'
import { moneyErrors } from './table-money.ts'
import { nodeErrors } from './table-node.ts'
import { rewardsErrors } from './table-rewards.ts'
import { scenariosErrors } from './table-scenarios.ts'
import { slashingErrors } from './table-slashing.ts'
import { stakingErrors } from './table-staking.ts'
import { storageErrors } from './table-storage.ts'
import { tensorErrors } from './table-tensors.ts'
import { validatorErrors } from './table-validators.ts'
import { votesErrors } from './table-votes.ts'

const table = {
  ...nodeErrors,
  ...consensusErrors,
  ...chainErrors,
  ...storageErrors,
  ...tensorErrors,
  ...expertErrors,
  ...validatorErrors,
  ...moneyErrors,
  ...stakingErrors,
  ...rewardsErrors,
  ...slashingErrors,
  ...votesErrors,
  ...giftedErrors,
  ...continuityErrors,
  ...scenariosErrors
}

export type ErrorCode = keyof typeof table

export const errorTable: Readonly<Record<ErrorCode, ErrorEntry>> = table
