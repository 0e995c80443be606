import { BlyanError } from '../../errors/index.ts'
import type { PartDescription } from '../model/part-layout.ts'
import { locatePart, type PartFile } from './part-file.ts'
import { openFileSource } from './tile-source.ts'

/** Reads parts into memory, whose values training and scoring change or add to. Files hold fp32, little-endian. */
export async function readPartValues(
  part: PartFile,
  descriptions: ReadonlyMap<string, PartDescription>,
  tensorFolder: string
): Promise<Float32Array> {
  const description = descriptions.get(part.name)
  if (description === undefined) throw new BlyanError('PART_UNKNOWN', { part: part.name })
  const { compression, dtype } = part
  if (compression !== undefined || dtype !== 'fp32') {
    throw new BlyanError('TRAINING_UNSUPPORTED', { reason: `part ${part.name} is stored as ${compression ?? dtype}` })
  }
  const source = await openFileSource(await locatePart(part, description, tensorFolder))
  try {
    const values = new Float32Array(part.dataLengthBytes / 4)
    const bytes = new Uint8Array(values.buffer)
    for (let at = 0; at < bytes.length; at += pieceBytes) await source.read(at, bytes.subarray(at, at + pieceBytes))
    if (!machineIsLittleEndian) Buffer.from(values.buffer).swap32()
    return values
  } finally {
    await source.close()
  }
}

const pieceBytes = 16 * 1024 * 1024
const machineIsLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1
