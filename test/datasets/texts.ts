import { createHash } from 'node:crypto'

const words =
  'the of a model learns from text that nobody else has seen before and it is measured by many who hold some'.split(' ')

/** Readable text of about `sizeBytes` bytes, different for each seed. */
export function sampleText(sizeBytes: number, seed: string): string {
  let text = ''
  for (let line = 0; text.length < sizeBytes; line++) {
    const digest = createHash('sha256').update(`${seed} ${line}`).digest()
    const chosen = [...digest.subarray(0, 12)].map(byte => words[byte % words.length])
    text += `${chosen.join(' ')} ${digest.readUInt16LE(20)}.\n`
  }
  return text
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
