import { BlyanError } from '../errors/index.ts'
import { readTensorData, type TensorInfo, type TensorStore } from '../tiles/index.ts'

/** Bytes that travel as a tensor: int8, one dimension. */
export async function storeBytes(
  tensors: Pick<TensorStore, 'putTensor'>,
  name: 'delta' | 'update',
  bytes: Uint8Array
): Promise<TensorInfo> {
  return tensors.putTensor({ name, dtype: 'int8', shape: [bytes.length], data: bytes })
}

/** From here or from peers. Throws DELTA_TOO_LARGE before more than a first piece came, and as fetchTensor does. */
export async function fetchBytes(
  tensors: Pick<TensorStore, 'fetchTensor'>,
  cid: string,
  name: 'delta' | 'update',
  limits: { readonly sizeBytesMax: number; readonly timeoutMs: number; readonly signal?: AbortSignal | undefined }
): Promise<Uint8Array> {
  const tooLarge = new AbortController()
  const signals = limits.signal === undefined ? [tooLarge.signal] : [tooLarge.signal, limits.signal]
  let sizeBytes = 0
  const refuse = (): BlyanError => new BlyanError('DELTA_TOO_LARGE', { sizeBytes, limitBytes: limits.sizeBytesMax })
  try {
    const info = await tensors.fetchTensor(cid, {
      timeoutMs: limits.timeoutMs,
      bytesNamed: name,
      signal: AbortSignal.any(signals),
      onProgress: (_, totalBytes) => {
        sizeBytes = totalBytes
        if (totalBytes > limits.sizeBytesMax + headBytesMax) tooLarge.abort()
      }
    })
    if (info.dataLengthBytes > limits.sizeBytesMax) {
      sizeBytes = info.dataLengthBytes
      throw refuse()
    }
    return await readTensorData(info)
  } catch (error) {
    throw tooLarge.signal.aborted ? refuse() : error
  }
}

/** A tensor block is a little longer than its data. */
const headBytesMax = 1024 * 1024
