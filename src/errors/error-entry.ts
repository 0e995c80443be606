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
