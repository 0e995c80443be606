/** One signature to be verified. */
export type SignatureCheck = {
  /** With its multicodec prefix. */
  readonly publicKey: Uint8Array
  readonly message: Uint8Array
  readonly signature: Uint8Array
}

const headBytes = 12

/**
 * Checks in one piece of memory, which one thread can give to another: for each the three lengths, then public key, message
 * and signature.
 */
export function encodeChecks(checks: readonly SignatureCheck[]): Uint8Array<ArrayBuffer> {
  let sizeBytes = 0
  for (const { publicKey, message, signature } of checks)
    sizeBytes += headBytes + publicKey.length + message.length + signature.length
  const bytes = new Uint8Array(sizeBytes)
  const view = new DataView(bytes.buffer)
  let offset = 0
  for (const check of checks) {
    const parts = [check.publicKey, check.message, check.signature]
    for (const [place, part] of parts.entries()) view.setUint32(offset + place * 4, part.length)
    offset += headBytes
    for (const part of parts) {
      bytes.set(part, offset)
      offset += part.length
    }
  }
  return bytes
}

/** Views of the checks in `bytes`. */
export function decodeChecks(bytes: Uint8Array): SignatureCheck[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const checks: SignatureCheck[] = []
  for (let offset = 0; offset < bytes.length; ) {
    const keyStart = offset + headBytes
    const messageStart = keyStart + view.getUint32(offset)
    const signatureStart = messageStart + view.getUint32(offset + 4)
    const end = signatureStart + view.getUint32(offset + 8)
    checks.push({
      publicKey: bytes.subarray(keyStart, messageStart),
      message: bytes.subarray(messageStart, signatureStart),
      signature: bytes.subarray(signatureStart, end)
    })
    offset = end
  }
  return checks
}
