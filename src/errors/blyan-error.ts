import type { ErrorEntry } from './error-entry.ts'
import { type ErrorCode, errorTable } from './table.ts'

export type ErrorPayload = Readonly<Record<string, string | number | boolean | undefined>>

/** A failure with a code from the error table. `message` and `nextStep` are the table's texts with the payload filled in. */
export class BlyanError extends Error {
  readonly code: ErrorCode
  readonly payload: ErrorPayload

  constructor(code: ErrorCode, payload: ErrorPayload = {}, options?: ErrorOptions) {
    super(fill(errorTable[code].message, payload), options)
    this.name = 'BlyanError'
    this.code = code
    this.payload = payload
  }

  get nextStep(): string {
    return fill(errorTable[this.code].nextStep, this.payload)
  }
}

export function isBlyanError(error: unknown, code?: ErrorCode): error is BlyanError {
  return error instanceof BlyanError && (code === undefined || error.code === code)
}

export type ErrorDescription = {
  readonly code: ErrorCode
  readonly message: string
  readonly nextStep: string
  readonly exitCode: number
  readonly httpStatus: number
}

/** What a person or a program is told about any thrown value; unnamed ones become `INTERNAL`. */
export function describeError(error: unknown): ErrorDescription {
  const known = isBlyanError(error) ? error : new BlyanError('INTERNAL', { reason: reasonOf(error) }, { cause: error })
  const entry: ErrorEntry = errorTable[known.code]
  return {
    code: known.code,
    message: known.message,
    nextStep: known.nextStep,
    exitCode: entry.exitCode ?? 1,
    httpStatus: entry.httpStatus ?? 500
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function fill(template: string, payload: ErrorPayload): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => String(payload[name] ?? '?'))
}
