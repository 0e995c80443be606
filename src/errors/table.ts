import { chainErrors } from './table-chains.ts'
import { consensusErrors } from './table-consensus.ts'
import { expertErrors } from './table-experts.ts'
import { nodeErrors } from './table-node.ts'
import { tensorErrors } from './table-tensors.ts'

/** One row: texts may hold `{name}` for a payload field; `fault` says who has to change something. */
export type ErrorEntry = {
  readonly message: string
  readonly nextStep: string
  readonly fault: 'user' | 'peer' | 'machine' | 'us'
  readonly retry: boolean
  /** Process exit code of the command line, 1 unless given (docs/errors.md). */
  readonly exitCode?: number
  /** HTTP status of the API, 500 unless given. */
  readonly httpStatus?: number
}

const table = {
  ...nodeErrors,
  ...consensusErrors,
  ...chainErrors,
  ...tensorErrors,
  ...expertErrors
}

export type ErrorCode = keyof typeof table

export const errorTable: Readonly<Record<ErrorCode, ErrorEntry>> = table
