import { describeError } from '../errors/index.ts'
import type { AnswerPlan, AnswerReport, ChatEnd, ModelEntry, RunningChat } from '../node/index.ts'

/** What OpenAI's clients expect to read, made of ours. The field `blyan` is our own addition, which they pass over. */

const errorTypes: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  429: 'rate_limit_error'
}

/** The fields of our own errors, and beside them those that OpenAI's clients look for. */
export function openAiError(error: unknown): {
  error: { message: string; type: string; param: null; code: string; nextStep: string }
} {
  const { code, message, nextStep, httpStatus } = describeError(error)
  const type = errorTypes[httpStatus] ?? (httpStatus >= 500 ? 'server_error' : 'invalid_request_error')
  return { error: { message, type, param: null, code, nextStep } }
}

/** Whether what answers at this path speaks as OpenAI does. */
export function isOpenAiPath(path: string): boolean {
  return path.startsWith('/v1/')
}

export function modelObject(entry: ModelEntry): Record<string, unknown> {
  const { name, isGenesis, isComplete, author, block, parts, architecture } = entry
  return {
    id: name,
    object: 'model',
    created: 0,
    owned_by: author ?? 'genesis',
    blyan: { isGenesis, isComplete, block, parts: parts.length, contextTokens: architecture.contextTokens }
  }
}

/** What is told of an answer beside its text. */
export type AnswerNotes = { readonly plan: AnswerPlan } & AnswerReport & { readonly end: ChatEnd | null }

export function answerNotes(chat: RunningChat): AnswerNotes {
  return { plan: chat.plan, ...chat.report(), end: chat.end }
}

export function usageOf({ promptTokens, tokens }: AnswerReport): Record<string, number> {
  return { prompt_tokens: promptTokens, completion_tokens: tokens, total_tokens: promptTokens + tokens }
}

/** One whole answer. */
export async function completion(chat: RunningChat, createdMs: number): Promise<Record<string, unknown>> {
  let content = ''
  for await (const text of chat.texts) content += text
  const message = { role: 'assistant', content, refusal: null }
  return {
    ...headOf(chat, 'chat.completion', createdMs),
    choices: [{ index: 0, message, logprobs: null, finish_reason: finishReason(chat.end) }],
    usage: usageOf(chat.report()),
    blyan: answerNotes(chat)
  }
}

/** How far an answer is: told about once a second while it is made. */
export type AnswerProgress = Pick<AnswerReport, 'tokens' | 'elapsedMs' | 'tokensPerSecond' | 'costUnits' | 'coin'>
const progressEveryMs = 1000

/** Gives the progress when it is time to tell it again, else undefined. */
export function progressTeller(chat: RunningChat, nowMs: () => number): () => AnswerProgress | undefined {
  let toldMs = nowMs()
  return () => {
    if (nowMs() - toldMs < progressEveryMs) return undefined
    toldMs = nowMs()
    const { tokens, elapsedMs, tokensPerSecond, costUnits, coin } = chat.report()
    return { tokens, elapsedMs, tokensPerSecond, costUnits, coin }
  }
}

/** An answer in pieces: the plan with the first, the text, the report with the last; usage on its own where asked for. */
export async function* completionChunks(
  begin: () => Promise<RunningChat>,
  { nowMs, withUsage }: { readonly nowMs: () => number; readonly withUsage: boolean }
): AsyncGenerator<Record<string, unknown>> {
  const createdMs = nowMs()
  const chat = await begin()
  const progress = progressTeller(chat, nowMs)
  const head = { ...headOf(chat, 'chat.completion.chunk', createdMs), ...(withUsage ? { usage: null } : {}) }
  const piece = (delta: Record<string, string>, finish: string | null, blyan?: unknown) => ({
    ...head,
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
    ...(blyan === undefined ? {} : { blyan })
  })
  yield piece({ role: 'assistant', content: '' }, null, { plan: chat.plan })
  for await (const content of chat.texts) yield piece({ content }, null, progress())
  yield piece({}, finishReason(chat.end), answerNotes(chat))
  if (withUsage) yield { ...head, choices: [], usage: usageOf(chat.report()) }
}

function headOf(chat: RunningChat, object: string, createdMs: number): Record<string, unknown> {
  return { id: `chatcmpl-${chat.id}`, object, created: Math.floor(createdMs / 1000), model: chat.model }
}

function finishReason(end: ChatEnd | null): string {
  return end === 'length' ? 'length' : 'stop'
}
