import { z } from 'zod'
import { BlyanError } from '../../errors/index.ts'
import { chatBody, chatRequestOf } from '../chat-inputs.ts'
import { completion, completionChunks, modelObject } from '../openai-shape.ts'
import { type Route, route } from '../route.ts'

const modelName = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[\w.:-]+$/, 'letters, digits, ". _ : -"')

/** Asking a model, as OpenAI's clients do it. */
export const chatRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/models',
    scope: 'read',
    summary: 'The models of this network, as OpenAI lists them',
    answer: 'application/json',
    answerDescription: '`data`, one entry for each model; `blyan.isComplete` says whether it can be asked',
    handle: async (_input, { node }) => ({
      kind: 'json',
      body: { object: 'list', data: node.models().map(modelObject) }
    })
  }),
  route({
    method: 'GET',
    path: '/v1/models/:model',
    scope: 'read',
    summary: 'One model',
    params: z.strictObject({ model: modelName }),
    answer: 'application/json',
    answerDescription: 'the model',
    handle: async ({ params: { model } }, { node }) => {
      const entries = node.models()
      const entry = entries.find(({ name }) => name === model)
      if (entry === undefined)
        throw new BlyanError('MODEL_UNKNOWN', {
          model,
          known: entries
            .slice(0, 16)
            .map(({ name }) => name)
            .join(', ')
        })
      return { kind: 'json', body: modelObject(entry) }
    }
  }),
  route({
    method: 'POST',
    path: '/v1/chat/completions',
    scope: 'operate',
    summary: 'An answer to a conversation, as OpenAI gives it; with `stream` in pieces as it is made',
    body: chatBody,
    answer: 'text/event-stream',
    answerDescription:
      'a `chat.completion` as JSON, or with `stream` its chunks and then `[DONE]`; `blyan` in the first chunk holds the plan, in the last one (and in the whole answer) what it took: holders, `costUnits`, `tokensPerSecond`',
    handle: async ({ body, signal }, { chat, nowMs }) => {
      const begin = () => chat.begin(chatRequestOf(body, signal))
      if (body.stream !== true) return { kind: 'json', body: await completion(await begin(), nowMs()) }
      const withUsage = body.stream_options?.include_usage === true
      return { kind: 'chunks', items: completionChunks(begin, { nowMs, withUsage }) }
    }
  }),
  route({
    method: 'GET',
    path: '/v1/stream',
    scope: 'operate',
    summary: 'Answers over a WebSocket: several at a time, each with a cancel (docs/protocol.md)',
    answer: 'application/json',
    answerDescription: 'the upgrade to a WebSocket; 426 for a request without one',
    handle: async () => {
      throw new BlyanError('WEBSOCKET_NEEDED')
    }
  })
]
