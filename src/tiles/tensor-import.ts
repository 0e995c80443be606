import { parseCid } from '../codec/index.ts'
import { checkBundleSize } from './bundle.ts'
import { type ByteReader, createByteReader } from './byte-reader.ts'
import { readNpyHeader } from './npy.ts'
import { readSafetensorsHeader, type SafetensorsHeader } from './safetensors.ts'
import { encodeHeaderRegion, type TensorDescription } from './tensor-block.ts'
import { readTensorHead, type TensorHead } from './tensor-file.ts'
import type { TensorInfo } from './tensor-info.ts'
import type { TensorShelf } from './tensor-shelf.ts'
import { writeTensorFile } from './tensor-writer.ts'

export type Added = { readonly info: TensorInfo; readonly isNew: boolean }

/** Writes one tensor from its description and its data. A failure leaves nothing behind. */
export async function importTensor(
  shelf: TensorShelf,
  head: TensorHead,
  data: AsyncIterable<Uint8Array>,
  checkEnd: () => Promise<void> = async () => {}
): Promise<Added> {
  const { region, layout, description } = head
  const file = await shelf.create(layout)
  try {
    const digests = await writeTensorFile(file, region, layout, data)
    await checkEnd()
    return await shelf.add({ file, description, layout, digests })
  } catch (error) {
    await file.discard()
    throw error
  }
}

export function headOf(description: TensorDescription, scales?: Uint8Array): TensorHead {
  return { description, ...encodeHeaderRegion(description, scales) }
}

export async function importNpy(shelf: TensorShelf, name: string, bytes: AsyncIterable<Uint8Array>): Promise<Added> {
  return reading('npy', bytes, async reader => {
    const { dtype, shape, bytes: header } = await readNpyHeader(name, reader)
    const head = headOf({ name, dtype, shape, source: { format: 'npy', header } })
    return importTensor(shelf, head, reader.pass(head.layout.dataLengthBytes), () => reader.expectEnd())
  })
}

export async function importTensorBlock(shelf: TensorShelf, bytes: AsyncIterable<Uint8Array>): Promise<Added> {
  return reading('tblock', bytes, async reader => {
    const head = await readTensorHead(reader)
    return importTensor(shelf, head, reader.pass(head.layout.dataLengthBytes), () => reader.expectEnd())
  })
}

/** All tensors of the file; where one fails, those that this import brought are removed again. */
export async function importSafetensors(
  shelf: TensorShelf,
  bytes: AsyncIterable<Uint8Array>
): Promise<{ header: SafetensorsHeader; added: Added[] }> {
  return reading('safetensors', bytes, async reader => {
    const header = await readSafetensorsHeader(reader)
    checkBundleSize(header)
    const added: Added[] = []
    try {
      for (const { name, dtype, shape, beginBytes, endBytes } of header.entries) {
        const head = headOf({ name, dtype, shape, source: { format: 'tblock' } })
        added.push(await importTensor(shelf, head, reader.pass(endBytes - beginBytes)))
      }
      await reader.expectEnd()
    } catch (error) {
      await removeAdded(shelf, added)
      throw error
    }
    return { header, added }
  })
}

/** Takes back an import. What somebody pinned or bundled in the meantime stays. */
export async function removeAdded(shelf: TensorShelf, added: readonly Added[]): Promise<void> {
  for (const { info, isNew } of added) {
    if (isNew) await shelf.remove(parseCid(info.cid)).catch(() => {})
  }
}

async function reading<T>(
  format: string,
  bytes: AsyncIterable<Uint8Array>,
  read: (reader: ByteReader) => Promise<T>
): Promise<T> {
  const reader = createByteReader(format, bytes)
  try {
    return await read(reader)
  } finally {
    await reader.close()
  }
}
