import { randomBytes } from 'node:crypto'
import { mkdir, readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import {
  decryptKey,
  encryptKey,
  generateSigningKey,
  type KeyFile,
  keyFileSchemaName,
  type PublicKeyText,
  publicKeyFromText,
  type ScryptCost,
  type SignatureScheme,
  type SigningKey,
  scryptCosts
} from '../codec/index.ts'
import { BlyanError, isBlyanError } from '../errors/index.ts'
import { readSmallFile, writeFileDurably } from './durable-file.ts'
import { isValidatorKeyName, numberOfValidatorKey, validatorKeyName, validatorKeysMax } from './validator-key-names.ts'

/**
 * Encrypted keys of a node, one file each in keys/. A file is written whole or not at all and never overwritten:
 * a lost key is a lost account. Public keys are readable without a password.
 */
export interface KeyStore {
  list(): Promise<KeyInfo[]>
  /** Throws KEY_UNKNOWN. */
  info(name: string): Promise<KeyInfo>
  has(name: string): Promise<boolean>
  /** Makes a key. Throws KEY_EXISTS, KEY_NAME_INVALID. */
  create(name: string, scheme: SignatureScheme, password: string): Promise<KeyInfo>
  /** Stores a key from elsewhere, encrypted with this store's password. Throws KEY_EXISTS. */
  add(name: string, key: SigningKey, password: string): Promise<KeyInfo>
  /** Throws KEY_UNKNOWN, KEY_PASSWORD_WRONG, KEY_INVALID. */
  unlock(name: string, password: string): Promise<SigningKey>
  /** The encrypted file as it is. */
  exportFile(name: string): Promise<KeyFile>
  /** Replaces the key of `name` and keeps the old file beside it under `<name>.json.<date>`. */
  replace(name: string, password: string, now: Date): Promise<{ key: KeyInfo; keptAs: string }>
  /** Encrypts every key anew. All are opened before the first is written; running it again completes an interrupted change. */
  changePassword(oldPassword: string, newPassword: string): Promise<string[]>
}

export type KeyInfo = {
  readonly name: string
  readonly scheme: SignatureScheme
  readonly publicKey: PublicKeyText
  readonly createdAt: string
  readonly path: string
}

/** Keys a running node signs with. */
export type UnlockedKeys = {
  /** Its identity in the peer-to-peer network. */
  readonly node: SigningKey
  /** Signs vertices and checkpoints; null for a node that is no validator. */
  readonly validator: SigningKey | null
  /** All validator keys, in the order in which they were made: a rotation adds one (src/node/validator-keys.ts). */
  readonly validators: readonly { readonly name: string; readonly key: SigningKey }[]
  /** Signs the events its operator submits. */
  readonly account: SigningKey
}

export const nodeKeyName = 'node'
export const accountKeyName = 'account'
const namePattern = /^[a-z][a-z0-9_-]{0,31}$/
const keysMax = 1024

export function openKeyStore(folder: string, options: { scryptCost?: ScryptCost } = {}): KeyStore {
  return new FolderKeyStore(folder, options.scryptCost ?? scryptCosts.standard)
}

/** Opens what a node needs to run. The validator key only when its role asks for it. */
export async function unlockNodeKeys(
  store: KeyStore,
  password: string,
  roles: readonly string[]
): Promise<UnlockedKeys> {
  const names = roles.includes('validator') ? await validatorKeyNames(store) : []
  const [node, account, ...validators] = await Promise.all([
    store.unlock(nodeKeyName, password),
    store.unlock(accountKeyName, password),
    ...names.map(async name => ({ name, key: await store.unlock(name, password) }))
  ])
  return { node, account, validator: validators[0]?.key ?? null, validators }
}

/** The newest of them: those that a set may still know. Throws KEY_UNKNOWN when there is none. */
async function validatorKeyNames(store: KeyStore): Promise<string[]> {
  const names = (await store.list()).map(key => key.name).filter(isValidatorKeyName)
  if (names.length === 0) await store.info(validatorKeyName)
  return names.sort((a, b) => numberOfValidatorKey(a) - numberOfValidatorKey(b)).slice(-validatorKeysMax)
}

/** A key file of whatever origin, with the shape and sizes checked. Throws KEY_INVALID. */
export function parseKeyFile(text: string): KeyFile {
  let file: Partial<KeyFile> | null
  try {
    file = JSON.parse(text) as Partial<KeyFile> | null
  } catch (error) {
    throw new BlyanError('KEY_INVALID', { reason: 'the file is not JSON' }, { cause: error })
  }
  const { schema, name, scheme, publicKey, createdAt, kdf, cipher } = file ?? {}
  const texts: readonly unknown[] = [name, publicKey, createdAt, kdf?.salt, cipher?.nonce, cipher?.text, cipher?.tag]
  const numbers: readonly unknown[] = [kdf?.n, kdf?.r, kdf?.p]
  const fits =
    schema === keyFileSchemaName &&
    (scheme === 'ed25519' || scheme === 'secp256k1') &&
    texts.every(value => typeof value === 'string' && value.length <= 256) &&
    numbers.every(value => Number.isSafeInteger(value) && Number(value) > 0)
  if (!fits) throw new BlyanError('KEY_INVALID', { reason: `the file is not a ${keyFileSchemaName} key` })
  publicKeyFromText(publicKey!)
  return file as KeyFile
}

class FolderKeyStore implements KeyStore {
  readonly #folder: string
  readonly #cost: ScryptCost

  constructor(folder: string, cost: ScryptCost) {
    this.#folder = folder
    this.#cost = cost
  }

  async list(): Promise<KeyInfo[]> {
    const names = await readdir(this.#folder).catch(() => [])
    const keys = names.filter(name => name.endsWith('.json') && namePattern.test(name.slice(0, -5))).sort()
    return Promise.all(keys.slice(0, keysMax).map(name => this.info(name.slice(0, -5))))
  }

  async info(name: string): Promise<KeyInfo> {
    const { scheme, publicKey, createdAt } = await this.#read(name)
    return { name, scheme, publicKey, createdAt, path: this.#path(name) }
  }

  async has(name: string): Promise<boolean> {
    return (await readSmallFile(this.#path(name))) !== null
  }

  create(name: string, scheme: SignatureScheme, password: string): Promise<KeyInfo> {
    return this.add(name, generateSigningKey(scheme), password)
  }

  async add(name: string, key: SigningKey, password: string): Promise<KeyInfo> {
    const path = this.#path(name)
    if (await this.has(name)) throw new BlyanError('KEY_EXISTS', { name, path })
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    const file = await this.#encrypt(name, key, password, new Date().toISOString())
    try {
      await writeFileDurably(path, keyText(file), { mode: 0o600, exclusive: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw new BlyanError('KEY_EXISTS', { name, path })
      throw error
    }
    return this.info(name)
  }

  async unlock(name: string, password: string): Promise<SigningKey> {
    return decryptKey(await this.#read(name), password)
  }

  exportFile(name: string): Promise<KeyFile> {
    return this.#read(name)
  }

  async replace(name: string, password: string, now: Date): Promise<{ key: KeyInfo; keptAs: string }> {
    const old = await this.#read(name)
    await decryptKey(old, password)
    const file = await this.#encrypt(name, generateSigningKey(old.scheme), password, now.toISOString())
    const keptAs = `${this.#path(name)}.${now.toISOString().replaceAll(':', '-')}`
    await writeFileDurably(keptAs, keyText(old), { mode: 0o600, exclusive: true })
    await writeFileDurably(this.#path(name), keyText(file), { mode: 0o600 })
    return { key: await this.info(name), keptAs }
  }

  async changePassword(oldPassword: string, newPassword: string): Promise<string[]> {
    const names = (await this.list()).map(key => key.name)
    const staged: { name: string; temporary: string }[] = []
    for (const name of names) {
      const old = await this.#read(name)
      const key = await decryptKey(old, oldPassword).catch(error => {
        if (isBlyanError(error, 'KEY_PASSWORD_WRONG')) return decryptKey(old, newPassword)
        throw error
      })
      const file = await this.#encrypt(name, key, newPassword, old.createdAt)
      staged.push({ name, temporary: `${this.#path(name)}.new` })
      await writeFileDurably(`${this.#path(name)}.new`, keyText(file), { mode: 0o600 })
    }
    for (const { name, temporary } of staged) await rename(temporary, this.#path(name))
    return names
  }

  async #read(name: string): Promise<KeyFile> {
    const text = await readSmallFile(this.#path(name), 64 * 1024)
    if (text === null) throw new BlyanError('KEY_UNKNOWN', { name, path: this.#folder })
    return parseKeyFile(text)
  }

  #encrypt(name: string, key: SigningKey, password: string, createdAt: string): Promise<KeyFile> {
    return encryptKey({
      key,
      name,
      password,
      cost: this.#cost,
      salt: randomBytes(32),
      nonce: randomBytes(12),
      createdAt
    })
  }

  #path(name: string): string {
    if (!namePattern.test(name)) throw new BlyanError('KEY_NAME_INVALID', { name: name.slice(0, 40) })
    return join(this.#folder, `${name}.json`)
  }
}

function keyText(file: KeyFile): string {
  return `${JSON.stringify(file, null, 2)}\n`
}
