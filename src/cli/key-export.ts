import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import type { KeyFile } from '../codec/index.ts'
import type { SignerFloor } from '../consensus/index.ts'
import { BlyanError } from '../errors/index.ts'
import {
  type DataFolderPaths,
  importKeyStore,
  isValidatorKeyName,
  runningProcess,
  signerStateFileOf,
  writeFileDurably
} from '../node/index.ts'

/**
 * Files that carry a key elsewhere. A validator's key carries what it has signed last (its signer floor), so that on
 * another machine it cannot sign a second time for a slot.
 */
const exportSchema = 'blyan.key-export/1'

const signerFloorSchema = z.strictObject({
  epoch: z.int().min(0),
  round: z.int().min(0),
  digest: z.string().regex(/^([0-9a-f]{64})?$/),
  checkpointSequence: z.int().min(0),
  checkpointDigest: z.string().regex(/^([0-9a-f]{64})?$/)
})

/** Throws DATA_FOLDER_IN_USE for a validator key whose node runs: it signs on, and the floor would be old at once. */
export async function exportText(keyFile: KeyFile, paths: DataFolderPaths): Promise<string> {
  const signerFloor = isValidatorKeyName(keyFile.name) ? await floorOf(paths, keyFile.name) : undefined
  const document = signerFloor === undefined ? keyFile : { schema: exportSchema, key: keyFile, signerFloor }
  return `${JSON.stringify(document, null, 2)}\n`
}

async function floorOf(paths: DataFolderPaths, name: string): Promise<SignerFloor | undefined> {
  const pid = await runningProcess(paths)
  if (pid !== null) throw new BlyanError('DATA_FOLDER_IN_USE', { path: paths.root, pid })
  const { readSignerFloor } = await import('../consensus/index.ts')
  return readSignerFloor(signerStateFileOf(paths, name))
}

/** The floor file of a key that is being made: it has signed nothing. */
export async function beginSignerFloor(file: string): Promise<void> {
  const { readSignerFloor, writeSignerFloor } = await import('../consensus/index.ts')
  if (readSignerFloor(file) === undefined) writeSignerFloor(file)
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
export async function restoreSignerFloor(file: string, given: unknown): Promise<void> {
  const floor = signerFloorSchema.safeParse(given)
  if (!floor.success) throw new BlyanError('KEY_INVALID', { reason: 'what the key has signed last cannot be read' })
  const { readSignerFloor, writeSignerFloor } = await import('../consensus/index.ts')
  const found = readSignerFloor(file)
  if (found !== undefined && !isDeepStrictEqual({ ...found }, floor.data)) {
    throw new BlyanError('KEY_INVALID', { reason: `${file} says that a key has signed here; use a new data folder` })
  }
  if (found === undefined) writeSignerFloor(file, floor.data)
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
