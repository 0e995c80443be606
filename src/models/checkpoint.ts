import { join } from 'node:path'
import { bytesToHex, sha256 } from '../codec/index.ts'
import { BlyanError } from '../errors/index.ts'
import { type ArchitectureV2, describeModel, type PartDescription } from '../experts/index.ts'
import type { CheckpointHead } from './checkpoint-head.ts'
import { type PartMatrix, sourcesOf } from './part-sources.ts'
import { readTextFile } from './text-file.ts'
import { createTokenizer } from './tokenizer.ts'
import {
  encodeTokenizerRecord,
  type TokenizerRecord,
  tokenizerInvalid,
  tokenizerRecordSizeBytesMax
} from './tokenizer-record.ts'
import { weightSizeBytes } from './weights.ts'

/** What a folder holds, checked in everything but the values of its weights. */
export type Checkpoint = {
  readonly architecture: ArchitectureV2
  readonly parts: readonly PartDescription[]
  /** By part, in the same order. */
  readonly matrices: readonly (readonly PartMatrix[])[]
  /** The record of docs/protocol.md; null where tokens are bytes. */
  readonly tokenizer: Uint8Array | null
  /** SHA-256 in hex over the configuration and the names, sizes and times of the files: the same folder again. */
  readonly fingerprint: string
  /** Weights that are read, by part. */
  readonly sourceBytes: readonly number[]
}

/** Everything that takes its time, for the thread of an import: the tokenizer, and where each weight comes from. */
export async function completeCheckpoint(folder: string, head: CheckpointHead): Promise<Checkpoint> {
  const { config, configText, tensors } = head
  const { architecture } = config
  const record = await readTokenizerRecord(folder)
  checkTokenizer(record, architecture.vocabulary)
  const parts = describeModel(architecture)
  const matrices = parts.map(part => sourcesOf(part, config, tensors.places))
  const tokenizer = record === undefined ? null : encodeTokenizerRecord(record)
  const identity = [configText, architecture.precision, tensors.files, record ?? null]
  return {
    architecture,
    parts,
    matrices,
    tokenizer,
    fingerprint: bytesToHex(sha256(new TextEncoder().encode(JSON.stringify(identity)))),
    sourceBytes: matrices.map(list => list.reduce((total, { source }) => total + sizeOf(source), 0))
  }
}

/** Everything that depends on `vocabulary` is asked before any weight is read. */
function checkTokenizer(record: TokenizerRecord | undefined, vocabulary: number): void {
  if (record === undefined) {
    if (vocabulary !== 256) throw new BlyanError('TOKENIZER_MISSING', { vocabulary })
    return
  }
  const { tokenCount } = createTokenizer(record)
  if (tokenCount > vocabulary) throw new BlyanError('TOKENIZER_TOO_LARGE', { tokens: tokenCount, vocabulary })
}

async function readTokenizerRecord(folder: string): Promise<TokenizerRecord | undefined> {
  const read = (name: string) => readTextFile(join(folder, name), tokenizerRecordSizeBytesMax)
  const [tokenizer, config, generation, template] = await Promise.all(
    ['tokenizer.json', 'tokenizer_config.json', 'generation_config.json', 'chat_template.jinja'].map(read)
  )
  if (tokenizer === undefined) return undefined
  return {
    tokenizer,
    config: template === undefined ? (config ?? '{}') : withTemplate(config ?? '{}', template),
    generation: generation ?? ''
  }
}

/** Newer folders keep the template in a file of its own. */
function withTemplate(config: string, template: string): string {
  try {
    return JSON.stringify({ ...JSON.parse(config), chat_template: template })
  } catch {
    throw tokenizerInvalid('tokenizer_config.json is not a JSON map')
  }
}

function sizeOf({ place, rows, columns }: PartMatrix['source']): number {
  return rows * columns * weightSizeBytes[place.type]
}
