import type { FetchOptions } from './tensor-fetch.ts'
import type { TensorInfo } from './tensor-info.ts'
import type { TensorStore } from './tensor-store.ts'

/** A tensor block is a little longer than its data. */
const headBytesMax = 1024 * 1024

/**
 * Fetches what a stranger named, and leaves it as soon as it is known to be larger than it may be: TENSOR_FETCH_ABORTED
 * then, and nothing of it stays on the disk.
 */
export async function fetchWithin(
  tensors: Pick<TensorStore, 'fetchTensor'>,
  cid: string,
  dataBytesMax: number,
  options: FetchOptions = {}
): Promise<TensorInfo> {
  const tooLarge = new AbortController()
  const signals = options.signal === undefined ? [tooLarge.signal] : [tooLarge.signal, options.signal]
  return tensors.fetchTensor(cid, {
    ...options,
    signal: AbortSignal.any(signals),
    onProgress: (receivedBytes, totalBytes) => {
      if (totalBytes > dataBytesMax + headBytesMax) tooLarge.abort()
      options.onProgress?.(receivedBytes, totalBytes)
    }
  })
}
