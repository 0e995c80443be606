import type { ErrorEntry } from './error-entry.ts'
import { answersErrors } from './table-answers.ts'
import { chainErrors } from './table-chains.ts'
import { chatErrors } from './table-chat.ts'
import { consensusErrors } from './table-consensus.ts'
import { continuityErrors } from './table-continuity.ts'
import { datasetsErrors } from './table-datasets.ts'
import { deltasErrors } from './table-deltas.ts'
import { expertErrors } from './table-experts.ts'
import { giftedErrors } from './table-gifted.ts'
import { integrityErrors } from './table-integrity.ts'
import { learningErrors } from './table-learning.ts'
import { modelsErrors } from './table-models.ts'
import { moneyErrors } from './table-money.ts'
import { nodeErrors } from './table-node.ts'
import { rewardsErrors } from './table-rewards.ts'
import { routingErrors } from './table-routing.ts'
import { scenariosErrors } from './table-scenarios.ts'
import { slashingErrors } from './table-slashing.ts'
import { stakingErrors } from './table-staking.ts'
import { storageErrors } from './table-storage.ts'
import { tensorErrors } from './table-tensors.ts'
import { trainingErrors } from './table-training.ts'
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
  ...modelsErrors,
  ...routingErrors,
  ...integrityErrors,
  ...answersErrors,
  ...chatErrors,
  ...scenariosErrors,
  ...deltasErrors,
  ...learningErrors,
  ...datasetsErrors,
  ...trainingErrors
}

export type ErrorCode = keyof typeof table

export const errorTable: Readonly<Record<ErrorCode, ErrorEntry>> = table
