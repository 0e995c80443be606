import type { ErrorEntry } from './error-entry.ts'
import { chainErrors } from './table-chains.ts'
import { consensusErrors } from './table-consensus.ts'
import { expertErrors } from './table-experts.ts'
import { nodeErrors } from './table-node.ts'
import { tensorErrors } from './table-tensors.ts'

const table = {
  ...nodeErrors,
  ...consensusErrors,
  ...chainErrors,
  ...tensorErrors,
  ...expertErrors
}

export type ErrorCode = keyof typeof table

export const errorTable: Readonly<Record<ErrorCode, ErrorEntry>> = table
