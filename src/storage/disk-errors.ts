import { BlyanError } from '../errors/index.ts'

const fullDiskCodes = new Set(['ENOSPC', 'EDQUOT'])

/** Names a failure of the disk. LevelDB reports a full disk only in its text, hence the second look. */
export function diskError(folder: string, error: unknown): BlyanError {
  if (error instanceof BlyanError) return error
  const reason = reasonOf(error)
  if (fullDiskCodes.has(codeOf(error)) || /no space left|disk quota exceeded/i.test(reason)) {
    return new BlyanError('DISK_FULL', { folder }, { cause: error })
  }
  return new BlyanError('DISK_FAILED', { folder, reason }, { cause: error })
}

/** Runs a disk operation and throws DISK_FULL or DISK_FAILED where it fails. */
export async function onDisk<T>(folder: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation()
  } catch (error) {
    throw diskError(folder, error)
  }
}

/** The code of a system error, or of the innermost cause that has one. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  const inner = codeOf(error.cause)
  if (inner !== '') return inner
  return 'code' in error && typeof error.code === 'string' ? error.code : ''
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message}: ${reasonOf(error.cause)}`
}
