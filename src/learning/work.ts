import { leadingZeroBits } from './chain/index.ts'

/** Looks for the nonce of the light proof of work, a slice at a time so that nothing else waits for it. */
const sliceMs = 8

export async function findNonce(
  digestOf: (nonce: number) => Uint8Array,
  bits: number,
  signal?: AbortSignal
): Promise<number> {
  for (let nonce = 0; ; ) {
    const endMs = performance.now() + sliceMs
    while (performance.now() < endMs)
      for (const last = nonce + 64; nonce < last; nonce++) if (leadingZeroBits(digestOf(nonce)) >= bits) return nonce
    signal?.throwIfAborted()
    await new Promise(resolve => setImmediate(resolve))
  }
}
