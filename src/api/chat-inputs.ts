import { z } from 'zod'
import { answerModes, type ChatRequest } from '../node/index.ts'
import { partPicks } from './inputs.ts'

const messagesMax = 4096
const partsMax = 256
const charactersMax = 4 << 20
const stopWordsMax = 16
const stopWordCharactersMax = 256
const tokensMax = 1 << 20
/** OpenAI's 0 means the likeliest token alone. */
const leastShare = 1e-9

const textPart = z.strictObject({
  type: z.literal('text', 'only text is read here'),
  text: z.string().max(charactersMax)
})
const content = z
  .union(
    [z.string().max(charactersMax), z.array(textPart).min(1).max(partsMax)],
    'not a text, nor a list of text parts'
  )
  .transform(value => (typeof value === 'string' ? value : value.map(part => part.text).join('')))

/** `developer` is OpenAI's newer word for `system`. */
const message = z
  .strictObject({
    role: z.enum(['system', 'developer', 'user', 'assistant'], 'not one of system, developer, user, assistant'),
    content,
    name: z.string().max(256).nullish(),
    refusal: z.null().optional(),
    annotations: z.array(z.unknown()).max(0).optional()
  })
  .transform(({ role, content }) => ({ role: role === 'developer' ? ('system' as const) : role, content }))

const stopWord = z.string().min(1).max(stopWordCharactersMax)
const ignored = z.unknown().optional()
const tokens = z.int().min(1).max(tokensMax).nullish()

/** A field of OpenAI's that asks for something we do not have, in all forms but those that ask for nothing. */
function only(asksForNothing: (value: unknown) => boolean, reason: string) {
  return z
    .unknown()
    .optional()
    .superRefine((value, refinement) => {
      if (value === undefined || value === null || asksForNothing(value)) return
      refinement.addIssue({ code: 'custom', message: reason, params: { isUnsupported: true } })
    })
}
const isEmpty = (value: unknown): boolean => typeof value === 'object' && Object.keys(value!).length === 0
const isZero = (value: unknown): boolean => value === 0
const isFalse = (value: unknown): boolean => value === false

/** The body of POST /v1/chat/completions, as OpenAI's clients send it. What changes nothing here is taken and passed over. */
export const chatBody = z.strictObject({
  model: z.string().max(64).nullish().describe('a name of GET /v1/models; genesis unless given'),
  messages: z.array(message).min(1).max(messagesMax),
  max_tokens: tokens,
  max_completion_tokens: tokens.describe('most tokens of the answer; 1024 unless given, or what the context leaves'),
  temperature: z.number().min(0).max(2).nullish().describe('0 takes the likeliest token; 1 unless given'),
  top_p: z.number().min(0).max(1).nullish(),
  seed: z.int().nullish().describe('the same seed, model and messages give the same answer'),
  stop: z.union([stopWord, z.array(stopWord).max(stopWordsMax)]).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z
    .strictObject({ include_usage: z.boolean().nullish(), include_obfuscation: z.boolean().nullish() })
    .nullish(),
  blyan: z
    .strictObject({
      mode: z.enum(answerModes).optional(),
      parts: partPicks.optional().describe('versions of parts that stand in for the newest: name to CID')
    })
    .optional()
    .describe('our own addition: how the answer is made, and with which versions'),
  n: only(value => value === 1, 'one answer is made for a request'),
  tools: only(isEmpty, 'models here call no tools'),
  functions: only(isEmpty, 'models here call no functions'),
  tool_choice: only(value => value === 'none' || value === 'auto', 'models here call no tools'),
  function_call: only(value => value === 'none' || value === 'auto', 'models here call no functions'),
  response_format: only(value => (value as { type?: unknown }).type === 'text', 'answers are plain text'),
  modalities: only(value => String(value) === 'text', 'answers are plain text'),
  audio: only(isEmpty, 'answers are plain text'),
  web_search_options: only(isEmpty, 'nothing is searched for'),
  logprobs: only(isFalse, 'probabilities are not told'),
  top_logprobs: only(isZero, 'probabilities are not told'),
  frequency_penalty: only(isZero, 'tokens are drawn without penalties'),
  presence_penalty: only(isZero, 'tokens are drawn without penalties'),
  logit_bias: only(isEmpty, 'tokens are drawn without biases'),
  user: ignored,
  metadata: ignored,
  store: ignored,
  moderation: ignored,
  parallel_tool_calls: ignored,
  prediction: ignored,
  prompt_cache_key: ignored,
  prompt_cache_options: ignored,
  prompt_cache_retention: ignored,
  reasoning_effort: ignored,
  safety_identifier: ignored,
  service_tier: ignored,
  verbosity: ignored
})

export type ChatBody = z.output<typeof chatBody>

export function chatRequestOf(body: ChatBody, signal: AbortSignal): ChatRequest {
  const { stop } = body
  return {
    model: body.model ?? undefined,
    messages: body.messages,
    tokensMax: body.max_completion_tokens ?? body.max_tokens ?? undefined,
    stop: typeof stop === 'string' ? [stop] : (stop ?? []),
    temperature: body.temperature ?? 1,
    topP: Math.max(body.top_p ?? 1, leastShare),
    seed: body.seed === null || body.seed === undefined ? undefined : String(body.seed),
    mode: body.blyan?.mode,
    parts: body.blyan?.parts,
    signal
  }
}
