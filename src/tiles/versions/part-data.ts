import { open } from 'node:fs/promises'
import { BlyanError } from '../../errors/index.ts'
import { onDisk } from '../../storage/index.ts'
import type { TensorInfo } from '../tensor-info.ts'
import type { TensorInput } from '../tensor-store.ts'

const dataHeadSizeBytes = 64 * 1024

/** The data of a tensor that is here, in memory of its own. */
export function readTensorData(info: TensorInfo): Promise<Uint8Array> {
  return readDataBytes(info, info.dataLengthBytes)
}

/** As much of the data as the header of a delta file can take. */
export function readTensorHeadData(info: TensorInfo): Promise<Uint8Array> {
  return readDataBytes(info, Math.min(dataHeadSizeBytes, info.dataLengthBytes))
}

async function readDataBytes(info: TensorInfo, lengthBytes: number): Promise<Uint8Array> {
  const data = new Uint8Array(lengthBytes)
  await onDisk(info.path, async () => {
    const file = await open(info.path, 'r')
    try {
      for (let done = 0; done < data.length; ) {
        const { bytesRead } = await file.read(data, done, data.length - done, info.dataOffsetBytes + done)
        if (bytesRead === 0) throw new Error(`it ends ${data.length - done} bytes too early`)
        done += bytesRead
      }
    } finally {
      await file.close()
    }
  })
  return data
}

/** The values of an fp32 part that is here. Throws TENSOR_INPUT_INVALID for other precisions: only fp32 parts are trained. */
export async function readPartValues(info: TensorInfo): Promise<Float32Array> {
  if (info.dtype !== 'fp32')
    throw new BlyanError('TENSOR_INPUT_INVALID', {
      reason: `${info.name} is ${info.dtype}; only fp32 parts take updates`
    })
  return new Float32Array((await readTensorData(info)).buffer)
}

/** What `putTensor` and `cidOfTensor` take for a new version of a part. */
export function partTensor(
  place: { readonly name: string; readonly shape: readonly number[] },
  values: Float32Array
): TensorInput & { readonly data: Uint8Array } {
  const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  return { name: place.name, dtype: 'fp32', shape: place.shape, data }
}
