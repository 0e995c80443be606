import { webcrypto } from 'node:crypto'
import { sha256 } from '../codec/index.ts'
import { leafSizeBytes, type TensorLayout } from './tensor-block.ts'

/**
 * SHA-256 on the thread pool. A leaf takes about a millisecond, and a large tensor has thousands: done
 * on the main thread they would hold up prompts and votes, and use one core where there are several.
 */
export async function digestOffThread(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await webcrypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>))
}

/** The digests of all leaves of a file that is in memory; for tensors small enough to be. */
export function digestLeaves(region: Uint8Array, data: Uint8Array, layout: TensorLayout): Uint8Array[] {
  const digests: Uint8Array[] = []
  for (let start = 0; start < layout.dataOffsetBytes; start += leafSizeBytes) {
    digests.push(sha256(region.subarray(start, start + leafSizeBytes)))
  }
  for (let start = 0; start < layout.dataLengthBytes; start += leafSizeBytes) {
    digests.push(sha256(data.subarray(start, start + leafSizeBytes)))
  }
  return digests
}

/**
 * Cuts a stream into leaves. A leaf that lies in one chunk is handed on as a view of it; only one that
 * spans chunks is put together in a buffer of its own. The last leaf may be shorter.
 */
export async function* cutIntoLeaves(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let pending: Uint8Array | undefined
  let pendingBytes = 0
  for await (const chunk of chunks) {
    let rest = chunk
    while (rest.length > 0) {
      if (pending === undefined && rest.length >= leafSizeBytes) {
        yield rest.subarray(0, leafSizeBytes)
        rest = rest.subarray(leafSizeBytes)
        continue
      }
      pending ??= new Uint8Array(leafSizeBytes)
      const part = rest.subarray(0, leafSizeBytes - pendingBytes)
      pending.set(part, pendingBytes)
      pendingBytes += part.length
      rest = rest.subarray(part.length)
      if (pendingBytes < leafSizeBytes) continue
      yield pending
      pending = undefined
      pendingBytes = 0
    }
  }
  if (pending !== undefined) yield pending.subarray(0, pendingBytes)
}
