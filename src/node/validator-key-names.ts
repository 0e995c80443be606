import { join } from 'node:path'
import type { DataFolderPaths } from './data-folder.ts'

export const validatorKeyName = 'validator'

/*
 * A node may have several validator keys: `validator`, and after rotations `validator-2`, `validator-3`, ... Each has a
 * floor file of its own, and none is ever renamed: a key and what it has signed cannot be mixed up.
 */
const numberedName = /^validator-([2-9]|[1-9][0-9]{1,3})$/
export const validatorKeysMax = 8

export function isValidatorKeyName(name: string): boolean {
  return name === validatorKeyName || numberedName.test(name)
}

/** 1 for the first key, then the number in its name. */
export function numberOfValidatorKey(name: string): number {
  return name === validatorKeyName ? 1 : Number(numberedName.exec(name)?.[1] ?? Number.NaN)
}

/** Name of the key that a rotation makes. */
export function nextValidatorKeyName(names: readonly string[]): string {
  const numbers = names.filter(isValidatorKeyName).map(numberOfValidatorKey)
  return numbers.length === 0 ? validatorKeyName : `${validatorKeyName}-${Math.max(...numbers) + 1}`
}

/** Where it is kept what the key of this name has signed last. */
export function signerStateFileOf(paths: DataFolderPaths, name: string): string {
  return name === validatorKeyName
    ? paths.signerStateFile
    : join(paths.root, `signer-state-${numberOfValidatorKey(name)}.json`)
}
