import { type CanonicalValue, CID, cidOfObject, decodeCanonical, encodeCanonical } from '../codec/index.ts'
import { BlyanError } from '../errors/index.ts'
import { createByteReader } from './byte-reader.ts'
import { readSafetensorsHeader, type SafetensorsEntry, type SafetensorsHeader } from './safetensors.ts'
import { tooLarge } from './tensor-block.ts'
import { isTensorCid } from './tensor-dag.ts'

/**
 * A .safetensors file as an IPFS object: its header as it was, and a link to the TensorBlock of each of
 * its tensors. Header and data together give the file back byte for byte.
 */
export type Bundle = {
  readonly header: SafetensorsHeader
  /** One for each entry of the header, in the same order. */
  readonly tensors: readonly CID[]
}

/** Blocks of 1 MiB pass through every IPFS implementation: about 4,000 tensors a file. */
export const bundleSizeBytesMax = 1024 * 1024
const bundleVersion = 1
const dagCborCode = 0x71

export function encodeBundle({ header, tensors }: Bundle): { cid: CID; bytes: Uint8Array } {
  const bytes = encodeCanonical({
    kind: 'safetensors',
    version: bundleVersion,
    header: header.bytes,
    tensors: header.entries.map((entry, index) => linkOf(entry, tensors[index]))
  })
  return { cid: cidOfObject(bytes), bytes }
}

/** Throws TENSOR_TOO_LARGE before gigabytes are read for a bundle that could not be stored. */
export function checkBundleSize(header: SafetensorsHeader): void {
  // Any CID will do: all have one length.
  const placeholder = cidOfObject(new Uint8Array())
  const { bytes } = encodeBundle({ header, tensors: header.entries.map(() => placeholder) })
  if (bytes.length > bundleSizeBytesMax) {
    throw tooLarge('the list of tensors in the file', `${bytes.length} bytes`, `${bundleSizeBytesMax} bytes`)
  }
}

/** Reads a bundle; the header is parsed anew and must agree with the links. Throws TENSOR_DAG_INVALID. */
export async function decodeBundle(cid: CID, bytes: Uint8Array): Promise<Bundle> {
  try {
    const value = decodeCanonical(bytes, { sizeBytesMax: bundleSizeBytesMax })
    const { header: headerBytes, tensors: links } = fieldsOf(value)
    if (!(headerBytes instanceof Uint8Array) || !Array.isArray(links)) throw new Error('header or tensors are missing')
    const reader = createByteReader('safetensors', once(headerBytes))
    const header = await readSafetensorsHeader(reader)
    await reader.expectEnd()
    const tensors = links.map(link => CID.asCID(fieldsOf(link).tensor)).filter(link => link !== null)
    if (tensors.length !== header.entries.length || !tensors.every(isTensorCid)) throw new Error('a link is missing')
    if (!encodeBundle({ header, tensors }).cid.equals(cid)) throw new Error('links and header do not agree')
    return { header, tensors }
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'malformed'
    throw new BlyanError('TENSOR_DAG_INVALID', { cid: cid.toString(), reason }, { cause: error })
  }
}

export function isBundleCid(cid: CID): boolean {
  return cid.version === 1 && cid.code === dagCborCode
}

export function dataSizeOfBundle({ entries }: SafetensorsHeader): number {
  return entries.at(-1)?.endBytes ?? 0
}

function linkOf({ name, beginBytes, endBytes }: SafetensorsEntry, tensor: CID | undefined): CanonicalValue {
  if (tensor === undefined) throw new Error(`no tensor for "${name}"`)
  return { name, tensor, begin: beginBytes, end: endBytes }
}

function fieldsOf(value: CanonicalValue): Record<string, CanonicalValue> {
  if (typeof value !== 'object' || value === null) throw new Error('it is no map')
  return Object.fromEntries(Object.entries(value))
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
