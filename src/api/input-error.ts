import type { z } from 'zod'
import { BlyanError } from '../errors/index.ts'

const reasonLettersMax = 500

/** The refusal of an input that is not as expected; a field that asks for something we do not have has a code of its own. */
export function inputError({ issues }: z.ZodError, place: string): BlyanError {
  const issue = issues[0]
  const message = issue?.message ?? 'not as expected'
  if (issue?.code === 'custom' && issue.params?.isUnsupported === true)
    return new BlyanError('CHAT_FIELD_UNSUPPORTED', { field: issue.path.join('.'), reason: message })
  const where = [place, ...(issue?.path ?? [])].map(String).join('.')
  return new BlyanError('REQUEST_INVALID', { reason: `${where}: ${message}`.slice(0, reasonLettersMax) })
}
