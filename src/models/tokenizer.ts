import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers'
import { BlyanError } from '../errors/index.ts'
import { withinTime } from './bounded-time.ts'
import { type ChatMessage, type ChatTemplate, createChatTemplate, type PromptPiece } from './chat-template.ts'
import { createByteDecoder, createWindowDecoder, type TokenDecoder } from './token-decoder.ts'
import { type TokenizerRecord, tokenizerInvalid } from './tokenizer-record.ts'

/** Text to tokens and back. */
export interface Tokenizer {
  /**
   * `special`: whether texts such as `<|end|>` are read as the special tokens they name. Throws TEXT_TOO_LONG.
   * Adds no tokens of its own.
   */
  encode(text: string, options: { readonly special: boolean }): Uint32Array
  /** For one answer: keeps what is not a whole character yet. Special tokens have no text. */
  decoder(): TokenDecoder
  /** What a conversation is for this model: its chat template applied. What a message says is never a special token. */
  chatPrompt(messages: readonly ChatMessage[]): Uint32Array
  /** Tokens an answer ends with. */
  readonly stopTokens: readonly number[]
  /** Most characters that are encoded at once, and so about the most tokens. */
  readonly countMax: number
  /** One more than the highest token it makes: a model's vocabulary is at least that. */
  readonly tokenCount: number
}

export type TokenizerOptions = {
  /** What a pattern or a template of the model's author may take. */
  readonly timeMsMax?: number
}

const charactersMax = 1024 * 1024
const defaultTimeMsMax = 5_000

/** `bytes`: one token a byte, and a conversation is its texts. Otherwise throws TOKENIZER_INVALID for what cannot be used. */
export function createTokenizer(record: TokenizerRecord | 'bytes', options: TokenizerOptions = {}): Tokenizer {
  if (record === 'bytes') return new ByteTokenizer()
  return new RecordTokenizer(record, options.timeMsMax ?? defaultTimeMsMax)
}

class ByteTokenizer implements Tokenizer {
  readonly stopTokens = []
  readonly countMax = charactersMax
  readonly tokenCount = 256

  encode(text: string): Uint32Array {
    checkLength(text)
    return Uint32Array.from(new TextEncoder().encode(text))
  }

  decoder(): TokenDecoder {
    return createByteDecoder()
  }

  chatPrompt(messages: readonly ChatMessage[]): Uint32Array {
    return this.encode(messages.map(({ content }) => content).join('\n'))
  }
}

type AddedToken = { readonly id: number; readonly content: string; readonly special: boolean }

class RecordTokenizer implements Tokenizer {
  readonly stopTokens: readonly number[]
  readonly countMax = charactersMax
  readonly tokenCount: number
  readonly #timeMsMax: number
  readonly #full: HuggingFaceTokenizer
  /** The same, except that it does not know special tokens. */
  readonly #plain: HuggingFaceTokenizer
  readonly #specialTokens: ReadonlySet<number>
  readonly #template: ChatTemplate | undefined

  constructor(record: TokenizerRecord, timeMsMax: number) {
    const tokenizer = parseMap(record.tokenizer, 'tokenizer.json')
    const config = parseMap(record.config, 'tokenizer_config.json')
    const generation = record.generation === '' ? {} : parseMap(record.generation, 'generation_config.json')
    const added = addedTokensOf(tokenizer)
    const special = added.filter(token => token.special)
    this.#timeMsMax = timeMsMax
    this.#full = built(tokenizer, config, timeMsMax)
    // Only the first one reads the vocabulary: it takes a second and 100 MB for the large ones.
    const noModel = { type: 'BPE', vocab: {}, merges: [] }
    this.#plain = built(
      { ...tokenizer, model: noModel, added_tokens: added.filter(token => !token.special) },
      config,
      timeMsMax
    )
    this.#plain.model = this.#full.model
    this.#specialTokens = new Set(special.map(({ id }) => id))
    this.tokenCount = (this.#full.model?.vocab.length ?? 0) as number
    this.stopTokens = this.#stopTokensOf(config, generation)
    const template = templateTextOf(config)
    if (template !== undefined) {
      this.#template = createChatTemplate({
        template,
        tokenTexts: tokenTextsOf(config),
        specialTexts: special.map(({ content }) => content).sort((a, b) => b.length - a.length),
        timeMsMax
      })
    }
  }

  encode(text: string, { special }: { readonly special: boolean }): Uint32Array {
    checkLength(text)
    if (special) return this.#idsOf(this.#full, text, false)
    const tokens = this.#idsOf(this.#plain, text, false)
    if (!tokens.some(token => this.#specialTokens.has(token))) return tokens
    // Some vocabularies hold their special texts as ordinary words too; no single character is one.
    const characters = [...text].flatMap(character => [...this.#idsOf(this.#plain, character, false)])
    return Uint32Array.from(characters.filter(token => !this.#specialTokens.has(token)))
  }

  decoder(): TokenDecoder {
    return createWindowDecoder(tokens => {
      const known = tokens.filter(token => this.#full.id_to_token(token) !== undefined)
      if (known.length === 0) return ''
      return this.#full.decode(known, { skip_special_tokens: true, clean_up_tokenization_spaces: false })
    })
  }

  chatPrompt(messages: readonly ChatMessage[]): Uint32Array {
    if (this.#template !== undefined) return this.#encodePieces(this.#template(messages))
    const text = messages.map(({ content }) => content).join('\n')
    // Nothing but the tokens that every text begins with for this model.
    const opening = this.#idsOf(this.#full, '', true).filter(token => !this.stopTokens.includes(token))
    return Uint32Array.of(...opening, ...this.encode(text, { special: false }))
  }

  #encodePieces(pieces: readonly PromptPiece[]): Uint32Array {
    checkLength({ length: pieces.reduce((total, { text }) => total + text.length, 0) })
    const encoded = pieces.map(({ text, special }) => this.encode(text, { special }))
    const tokens = new Uint32Array(encoded.reduce((total, part) => total + part.length, 0))
    let position = 0
    for (const part of encoded) {
      tokens.set(part, position)
      position += part.length
    }
    return tokens
  }

  #idsOf(tokenizer: HuggingFaceTokenizer, text: string, withOpening: boolean): Uint32Array {
    try {
      const { ids } = withinTime(this.#timeMsMax, () => tokenizer.encode(text, { add_special_tokens: withOpening }))
      if (ids.every((id: unknown) => Number.isInteger(id))) return Uint32Array.from(ids)
    } catch (error) {
      throw tokenizerInvalid(`it cannot read a text: ${error instanceof Error ? error.message : String(error)}`)
    }
    throw tokenizerInvalid('a text has characters it has no token for, and it names no unknown token')
  }

  #stopTokensOf(config: Record<string, unknown>, generation: Record<string, unknown>): readonly number[] {
    const listed = [generation.eos_token_id].flat().filter(id => typeof id === 'number' && Number.isInteger(id))
    const end = tokenTextsOf(config).eos_token
    const named = end === undefined ? undefined : this.#full.token_to_id(end)
    return [...new Set([...(listed as number[]), ...(named === undefined ? [] : [named])])].sort((a, b) => a - b)
  }
}

function built(tokenizer: object, config: object, timeMsMax: number): HuggingFaceTokenizer {
  try {
    // Reading a large vocabulary is work of its own, on top of what a pattern may take.
    return withinTime(timeMsMax * 6, () => new HuggingFaceTokenizer(tokenizer, config))
  } catch (error) {
    throw tokenizerInvalid(error instanceof Error ? error.message : String(error))
  }
}

function addedTokensOf(tokenizer: Record<string, unknown>): AddedToken[] {
  const listed = tokenizer.added_tokens
  if (!Array.isArray(listed)) throw tokenizerInvalid('tokenizer.json has no list added_tokens')
  return listed.map(token => {
    const { id, content, special } = (token ?? {}) as Record<string, unknown>
    if (!Number.isSafeInteger(id) || typeof content !== 'string' || content === '')
      throw tokenizerInvalid('tokenizer.json has an added token without id or content')
    return { ...(token as object), id: id as number, content, special: special === true }
  })
}

/** Names that end in `_token`: bos_token, eos_token and so on, given as texts or as maps with the text in them. */
function tokenTextsOf(config: Record<string, unknown>): Record<string, string> {
  const texts = Object.entries(config).flatMap(([name, value]) => {
    if (!name.endsWith('_token')) return []
    const text = typeof value === 'object' && value !== null ? (value as { content?: unknown }).content : value
    return typeof text === 'string' ? [[name, text] as const] : []
  })
  return Object.fromEntries(texts)
}

function templateTextOf(config: Record<string, unknown>): string | undefined {
  const template = config.chat_template
  if (typeof template === 'string') return template
  if (!Array.isArray(template)) return undefined
  const named = template.find(({ name }) => name === 'default') ?? template[0]
  return typeof named?.template === 'string' ? named.template : undefined
}

function parseMap(text: string, file: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {}
  throw tokenizerInvalid(`${file} is not a JSON map`)
}

function checkLength({ length }: { readonly length: number }): void {
  if (length > charactersMax) throw new BlyanError('TEXT_TOO_LONG', { characters: length, limit: charactersMax })
}
