import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sha256 } from '../../src/codec/index.ts'

/** Bytes of all README texts that came with the dependencies, split by file: what is held out nobody trains on. */
export type Texts = { readonly training: Uint8Array; readonly heldOut: Uint8Array; readonly files: number }

const heldOutOneIn = 8

export function readTexts(): Texts {
  const root = fileURLToPath(new URL('../../node_modules/', import.meta.url))
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter(path => /(^|\/)README\.md$/i.test(path))
    .sort()
  const seen = new Set<string>()
  const training: Uint8Array[] = []
  const heldOut: Uint8Array[] = []
  for (const path of paths) {
    const bytes = readFileSync(join(root, path))
    const digest = Buffer.from(sha256(bytes)).toString('hex')
    // Many packages carry the same text.
    if (seen.has(digest)) continue
    seen.add(digest)
    const isHeldOut = Number.parseInt(digest.slice(0, 4), 16) % heldOutOneIn === 0
    ;(isHeldOut ? heldOut : training).push(bytes)
  }
  return { training: Buffer.concat(training), heldOut: Buffer.concat(heldOut), files: seen.size }
}

const blockBytes = 4096

/** A batch of the learner's own blocks (every n-th of the text), the same for the same learner and step. */
export function drawBatch(
  text: Uint8Array,
  draw: { learner: number; learners: number; step: number; sequences: number; sequenceTokens: number }
): Uint32Array {
  const row = draw.sequenceTokens + 1
  const blocks = Math.floor((text.length - row) / blockBytes / draw.learners)
  const tokens = new Uint32Array(draw.sequences * row)
  const digests = sha256(new Uint32Array([draw.learner, draw.step]) as unknown as Uint8Array)
  let state = Buffer.from(digests).readUInt32LE(0)
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
  for (let sequence = 0; sequence < draw.sequences; sequence++) {
    const block = Math.floor(next() * blocks) * draw.learners + draw.learner
    const start = block * blockBytes + Math.floor(next() * (blockBytes - row))
    tokens.set(text.subarray(start, start + row), sequence * row)
  }
  return tokens
}

/** Sequences at equal distances over the whole text. */
export function spreadSequences(text: Uint8Array, count: number, sequenceTokens: number): Uint32Array {
  const row = sequenceTokens + 1
  const tokens = new Uint32Array(count * row)
  for (let at = 0; at < count; at++) {
    const start = Math.floor((at * (text.length - row)) / count)
    tokens.set(text.subarray(start, start + row), at * row)
  }
  return tokens
}
