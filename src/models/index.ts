/**
 * models: what was trained elsewhere, brought into this network.
 * In: folders of Hugging Face checkpoints, a model's tokenizer record, texts and conversations.
 * Out: an architecture record and the bytes of its parts, one after another in bounded memory; tokens and text.
 * Never touches: chains, the network, what computes with the parts.
 */

export type { ChatMessage } from './chat-template.ts'
export { modelTypes } from './checkpoint-config.ts'
export { type CheckpointImport, openCheckpointImport } from './checkpoint-import.ts'
export type { ImportPlan } from './import-protocol.ts'
export type { TokenDecoder } from './token-decoder.ts'
export { createTokenizer, type Tokenizer, type TokenizerOptions } from './tokenizer.ts'
export {
  decodeTokenizerRecord,
  encodeTokenizerRecord,
  type TokenizerRecord,
  tokenizerRecordSizeBytesMax
} from './tokenizer-record.ts'
