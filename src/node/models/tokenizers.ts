import { readFile } from 'node:fs/promises'
import { BlyanError } from '../../errors/index.ts'
import {
  createTokenizer,
  decodeTokenizerRecord,
  type Tokenizer,
  tokenizerRecordSizeBytesMax
} from '../../models/index.ts'
import type { TensorStore } from '../../tiles/index.ts'
import type { ModelEntry } from '../answers/answer-types.ts'

/** The tokenizers of models: fetched, read once, a few kept. */
export interface Tokenizers {
  /** Throws TOKENIZER_INVALID, and as fetchTensor does. */
  of(entry: ModelEntry): Promise<Tokenizer>
}

const tokenizersKeptMax = 4
const fetchTimeoutMs = 120_000

export function createTokenizers(tensors: Pick<TensorStore, 'fetchTensor'>): Tokenizers {
  return new KeptTokenizers(tensors)
}

class KeptTokenizers implements Tokenizers {
  readonly #tensors: Pick<TensorStore, 'fetchTensor'>
  readonly #bytes = createTokenizer('bytes')
  /** By CID of the record, used longest ago first. */
  readonly #kept = new Map<string, Promise<Tokenizer>>()

  constructor(tensors: Pick<TensorStore, 'fetchTensor'>) {
    this.#tensors = tensors
  }

  async of({ name, architecture, tokenizer }: ModelEntry): Promise<Tokenizer> {
    if (tokenizer === null) return this.#bytes
    const kept = this.#kept.get(tokenizer) ?? this.#read(tokenizer)
    this.#kept.delete(tokenizer)
    this.#kept.set(tokenizer, kept)
    if (this.#kept.size > tokenizersKeptMax) this.#kept.delete(this.#kept.keys().next().value!)
    kept.catch(() => this.#kept.delete(tokenizer))
    const found = await kept
    if (found.tokenCount > architecture.vocabulary)
      throw new BlyanError('TOKENIZER_INVALID', {
        reason: `it makes ${found.tokenCount} tokens and the model "${name}" knows ${architecture.vocabulary}`
      })
    return found
  }

  async #read(cid: string): Promise<Tokenizer> {
    const info = await this.#tensors.fetchTensor(cid, { timeoutMs: fetchTimeoutMs })
    if (info.dtype !== 'int8' || info.dataLengthBytes > tokenizerRecordSizeBytesMax)
      throw new BlyanError('TOKENIZER_INVALID', { reason: `its tensor ${cid} is not the record of a tokenizer` })
    const file = await readFile(info.path)
    const bytes = file.subarray(info.dataOffsetBytes, info.dataOffsetBytes + info.dataLengthBytes)
    return createTokenizer(decodeTokenizerRecord(bytes))
  }
}
