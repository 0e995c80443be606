import type { KeyFile } from '../codec/index.ts'
import { BlyanError } from '../errors/index.ts'
import { importKeyStore, readSmallFile, writeFileDurably } from '../node/index.ts'

/**
 * Files that carry a key elsewhere. A validator's key carries what it has signed last (its signer floor), so that on
 * another machine it cannot sign a second time for a slot.
 */
const exportSchema = 'blyan.key-export/1'

export async function exportText(keyFile: KeyFile, signerStateFile: string): Promise<string> {
  const floor = keyFile.name === 'validator' ? await readSmallFile(signerStateFile) : null
  const document =
    floor === null ? keyFile : { schema: exportSchema, key: keyFile, signerFloor: JSON.parse(floor) as unknown }
  return `${JSON.stringify(document, null, 2)}\n`
}

/** Throws KEY_INVALID. */
export async function readExport(text: string): Promise<{ keyFile: KeyFile; signerFloor: unknown }> {
  const { parseKeyFile } = await importKeyStore()
  let document: { schema?: unknown; key?: unknown; signerFloor?: unknown } | null
  try {
    document = JSON.parse(text) as typeof document
  } catch (error) {
    throw new BlyanError('KEY_INVALID', { reason: 'the file is not JSON' }, { cause: error })
  }
  if (document?.schema !== exportSchema) return { keyFile: parseKeyFile(text), signerFloor: null }
  return { keyFile: parseKeyFile(JSON.stringify(document.key ?? null)), signerFloor: document.signerFloor ?? null }
}

/** Refuses when another floor is there: nobody can say which of the two the key has reached. */
export async function restoreSignerFloor(path: string, floor: unknown): Promise<void> {
  const text = `${JSON.stringify(floor)}\n`
  const found = await readSmallFile(path)
  if (found !== null && JSON.stringify(JSON.parse(found)) !== JSON.stringify(floor)) {
    throw new BlyanError('KEY_INVALID', {
      reason: `${path} says that another key has signed here; use a new data folder`
    })
  }
  if (found === null) await writeFileDurably(path, text, { mode: 0o600, exclusive: true })
}

export async function writeNewFile(path: string, text: string): Promise<void> {
  try {
    await writeFileDurably(path, text, { mode: 0o600, exclusive: true })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new BlyanError(
      'FILE_UNWRITABLE',
      { path, reason: code === 'EEXIST' ? 'it is there already' : message },
      { cause: error }
    )
  }
}
