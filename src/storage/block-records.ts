import { type CanonicalValue, CID, decodeCanonical, encodeCanonical } from '../codec/index.ts'

/** A file that is served as an IPFS object. */
export type RegisteredFile = {
  readonly root: CID
  readonly fileName: string
  readonly sizeBytes: number
  /** Whatever the owner of the format wants to find again without reading the file. */
  readonly description: CanonicalValue
}

/** A block that keeps other objects: they cannot be removed before it is. */
export type Collection = { readonly root: CID; readonly members: readonly CID[]; readonly description: CanonicalValue }

const recordSizeBytesMax = 4 * 1024 * 1024

export function encodeFileRecord(file: RegisteredFile): Uint8Array {
  const { root, fileName, sizeBytes, description } = file
  return encodeCanonical({ root, fileName, sizeBytes, description })
}

export function decodeFileRecord(bytes: Uint8Array): RegisteredFile | undefined {
  const record = fieldsOf(bytes)
  const root = CID.asCID(record?.root)
  if (root === null || typeof record?.fileName !== 'string' || typeof record.sizeBytes !== 'number') return undefined
  return { root, fileName: record.fileName, sizeBytes: record.sizeBytes, description: record.description ?? null }
}

export function encodeCollectionRecord({ root, members, description }: Collection): Uint8Array {
  return encodeCanonical({ root, members, description })
}

export function decodeCollectionRecord(bytes: Uint8Array): Collection | undefined {
  const record = fieldsOf(bytes)
  const root = CID.asCID(record?.root)
  if (root === null || !Array.isArray(record?.members)) return undefined
  const members = record.members.flatMap((member: unknown) => CID.asCID(member) ?? [])
  return { root, members, description: record.description ?? null }
}

/** Rows of our own database; one that cannot be read counts as absent and is made again from its file. */
function fieldsOf(bytes: Uint8Array): Readonly<Record<string, CanonicalValue>> | undefined {
  try {
    const value = decodeCanonical(bytes, { sizeBytesMax: recordSizeBytesMax })
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isRecord(value: CanonicalValue): value is Readonly<Record<string, CanonicalValue>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && CID.asCID(value) === null
}
