/**
 * Signatures that cannot be forged, without the arithmetic: a signature is an object that only `sign` makes, and `verify`
 * knows what it was made for. Whoever holds no key of a member has no way to make one.
 */
export class Keyring {
  readonly #made = new WeakMap<Uint8Array, { readonly key: string; readonly message: string }>()

  sign(key: string, message: string): Uint8Array {
    const signature = new Uint8Array(64)
    this.#made.set(signature, { key, message })
    return signature
  }

  verify(key: string, message: string, signature: Uint8Array): boolean {
    const made = this.#made.get(signature)
    return made !== undefined && made.key === key && made.message === message
  }
}

export function vertexMessage(digest: string): string {
  return `vertex ${digest}`
}

export function checkpointMessage(digest: string): string {
  return `checkpoint ${digest}`
}
