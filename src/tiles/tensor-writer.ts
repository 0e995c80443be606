import { BlyanError } from '../errors/index.ts'
import type { TemporaryFile } from '../storage/index.ts'
import { createBoundedWork } from './bounded-work.ts'
import { inputInvalid } from './data-types.ts'
import { cutIntoLeaves, digestOffThread } from './leaf-digests.ts'
import { leafSizeBytes, type TensorLayout } from './tensor-block.ts'

/** Leaves that are hashed and written at the same time: 4 MiB in memory. */
const leavesInWork = 16

/**
 * Writes a TensorBlock into a temporary file in one pass, hashing each leaf while it is written.
 * Returns the SHA-256 of all leaves, those of the header region first.
 */
export async function writeTensorFile(
  file: TemporaryFile,
  region: Uint8Array,
  layout: TensorLayout,
  data: AsyncIterable<Uint8Array>
): Promise<Uint8Array[]> {
  const digests: Uint8Array[] = []
  const work = createBoundedWork(leavesInWork)
  let offsetBytes = 0
  const addLeaf = async (leaf: Uint8Array, written: Uint8Array) => {
    const index = digests.length
    const at = offsetBytes
    digests.push(leaf)
    offsetBytes += leaf.length
    await work.add(async () => {
      const [digest] = await Promise.all([digestOffThread(leaf), file.write(written, at)])
      digests[index] = digest
    })
  }
  try {
    for (let start = 0; start < region.length; start += leafSizeBytes) {
      const leaf = region.subarray(start, start + leafSizeBytes)
      await addLeaf(leaf, withoutTrailingZeros(leaf))
    }
    for await (const leaf of cutIntoLeaves(data)) {
      if (offsetBytes + leaf.length > layout.fileSizeBytes) throw wrongLength(layout)
      await addLeaf(leaf, leaf)
    }
    await work.finish()
  } catch (error) {
    await work.settle()
    throw error instanceof BlyanError ? error : inputInvalid(error instanceof Error ? error.message : String(error))
  }
  if (offsetBytes !== layout.fileSizeBytes) throw wrongLength(layout)
  return digests
}

/** The padding before the data is left out: a hole in the file reads as zeros and takes no disk. */
function withoutTrailingZeros(bytes: Uint8Array): Uint8Array {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end--
  return bytes.subarray(0, end)
}

function wrongLength(layout: TensorLayout): BlyanError {
  return inputInvalid(`its data does not have the ${layout.dataLengthBytes} bytes that shape and dtype ask for`)
}
