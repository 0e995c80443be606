import type { ErrorEntry } from './error-entry.ts'
import { chainErrors } from './table-chains.ts'
import { consensusErrors } from './table-consensus.ts'
import { expertErrors } from './table-experts.ts'
import { nodeErrors } from './table-node.ts'
import { storageErrors } from './table-storage.ts'
import { tensorErrors } from './table-tensors.ts'
import { validatorErrors } from './table-validators.ts'

const table = {
  ...nodeErrors,
  ...consensusErrors,
  ...chainErrors,
  ...storageErrors,
  ...tensorErrors,
  ...expertErrors,
  ...validatorErrors
}

export type ErrorCode = keyof typeof table

export const errorTable: Readonly<Record<ErrorCode, ErrorEntry>> = table
