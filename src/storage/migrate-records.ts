import type { ClassicLevel } from 'classic-level'
import { BlyanError } from '../errors/index.ts'
import { openRecord, sealRecord } from './record-checksum.ts'

/** Version of what the records look like; 1 had no checksums and no note of its version. */
export const recordFormat = 2

const formatKey = new TextEncoder().encode('mformat')
const placeKey = new TextEncoder().encode('mmigrated')
const batchBytesMax = 4 * 1024 * 1024
const recordsPerReadMax = 4096

type Level = ClassicLevel<Uint8Array, Uint8Array>

/**
 * Gives every record of an older database its checksum. Each batch says how far it came, so a crash at any moment is
 * gone on from where it was. Returns how many records were rewritten.
 */
export async function migrateRecords(level: Level): Promise<number> {
  const stored = await level.get(formatKey)
  if (stored !== undefined) {
    const found = openRecord(formatKey, stored)?.[0] ?? recordFormat
    if (found > recordFormat) throw new BlyanError('DATA_TOO_NEW', { path: level.location, found, known: recordFormat })
    return 0
  }
  let last = await level.get(placeKey)
  let count = 0
  for (;;) {
    const operations: { type: 'put'; key: Uint8Array; value: Uint8Array }[] = []
    let sizeBytes = 0
    // Its own notes are written while it reads on: they are neither of the old format nor counted.
    const range = last === undefined ? {} : { gt: last }
    for await (const [key, value] of level.iterator({ ...range, limit: recordsPerReadMax })) {
      last = key
      if (isOwnNote(key)) continue
      operations.push({ type: 'put', ...sealRecord(key, value) })
      sizeBytes += key.length + value.length
      if (sizeBytes >= batchBytesMax) break
    }
    if (operations.length === 0) break
    count += operations.length
    await level.batch([...operations, { type: 'put', key: placeKey, value: last! }], { sync: false })
  }
  const format = sealRecord(formatKey, Uint8Array.of(recordFormat))
  await level.batch(
    [
      { type: 'put', ...format },
      { type: 'del', key: placeKey }
    ],
    { sync: true }
  )
  return count
}

function isOwnNote(key: Uint8Array): boolean {
  return Buffer.compare(key, placeKey) === 0 || Buffer.compare(key, formatKey) === 0
}
