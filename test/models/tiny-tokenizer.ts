/** A byte-level BPE tokenizer small enough to read: 256 bytes, a few merges, three special tokens. */
import type { TokenizerRecord } from '../../src/models/index.ts'

const merges = [
  ['t', 'h'],
  ['th', 'e'],
  ['Ġ', 'the'],
  ['Ġ', 'a'],
  ['i', 'n'],
  ['in', 'g'],
  ['e', 'r'],
  ['Ġ', 'w'],
  ['l', 'l'],
  ['o', 'r'],
  ['or', 'l'],
  ['orl', 'd'],
  ['Ġw', 'orld'],
  ['H', 'e'],
  ['He', 'll'],
  ['Hell', 'o'],
  ['Ã', '¤']
] as const

const specialTexts = ['<|endoftext|>', '<|im_start|>', '<|im_end|>']
const chatTemplate =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] | trim + '<|im_end|>' + '\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

export const tinyTokenCount = 256 + merges.length + specialTexts.length

/** Written as Hugging Face writes them. `firstToken` moves all token numbers up. */
export function tinyTokenizer(): TokenizerRecord {
  const words = [...byteCharacters(), ...merges.map(([left, right]) => left + right)]
  const special = specialTexts.map((content, i) => ({
    id: words.length + i,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true
  }))
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: special,
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: false, use_regex: true },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(words.map((word, id) => [word, id])),
      merges: merges.map(pair => pair.join(' '))
    }
  }
  const config = { eos_token: '<|im_end|>', chat_template: chatTemplate, tokenizer_class: 'PreTrainedTokenizerFast' }
  const generation = { eos_token_id: [special[0]!.id, special[2]!.id] }
  return {
    tokenizer: JSON.stringify(tokenizer),
    config: JSON.stringify(config),
    generation: JSON.stringify(generation)
  }
}

/** The printable character that byte-level vocabularies write for each byte. */
function byteCharacters(): string[] {
  const isPrintable = (byte: number) => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
  let next = 256
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++))
}
