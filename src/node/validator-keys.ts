import { bytesEqual, publicKeyToText, type SigningKey } from '../codec/index.ts'
import { type Committee, openSigner, type Signer } from '../consensus/index.ts'
import type { DataFolderPaths } from './data-folder.ts'
import { signerStateFileOf } from './validator-key-names.ts'

export type NamedKey = { readonly name: string; readonly key: SigningKey }

/** The validator keys that a running node holds, each with its floor file open. */
export class OwnValidatorKeys {
  readonly #paths: DataFolderPaths
  readonly #keys: NamedKey[]
  readonly #signers = new Map<string, Signer>()

  /** Throws SIGNER_STATE_DAMAGED. */
  constructor(paths: DataFolderPaths, keys: readonly NamedKey[]) {
    this.#paths = paths
    this.#keys = [...keys]
    for (const { name } of this.#keys) this.#signerOf(name)
  }

  /** In the order in which they were made. */
  get all(): readonly NamedKey[] {
    return this.#keys
  }

  /** Whether one of the keys has signed as a validator before. */
  get hasSigned(): boolean {
    return this.#keys.some(({ name }) => (this.#signerOf(name).floor?.round ?? 0) > 0)
  }

  named(name: string): NamedKey | undefined {
    return this.#keys.find(one => one.name === name)
  }

  /** A key that was made while the node runs. */
  add(key: NamedKey): void {
    if (this.named(key.name) === undefined) this.#keys.push(key)
  }

  /** The key that a committee knows, and its place there. */
  memberIn(committee: Committee): { readonly index: number; readonly own: NamedKey } | undefined {
    for (const own of this.#keys) {
      const index = committee.validators.findIndex(one => bytesEqual(one.publicKey, own.key.publicKey))
      if (index !== -1) return { index, own }
    }
    return undefined
  }

  /** What the quorum asks at the beginning of every epoch. */
  selfOf(committee: Committee): { readonly index: number; readonly signer: Signer } | undefined {
    const found = this.memberIn(committee)
    return found === undefined ? undefined : { index: found.index, signer: this.#signerOf(found.own.name) }
  }

  texts(): string {
    return this.#keys.map(({ key }) => publicKeyToText(key.publicKey)).join(', ') || 'none'
  }

  close(): void {
    for (const signer of this.#signers.values()) signer.close()
    this.#signers.clear()
  }

  #signerOf(name: string): Signer {
    let signer = this.#signers.get(name)
    if (signer === undefined) {
      signer = openSigner({ key: this.named(name)!.key, file: signerStateFileOf(this.#paths, name) })
      this.#signers.set(name, signer)
    }
    return signer
  }
}
