import type { IncomingMessage } from 'node:http'
import { z } from 'zod'
import { BlyanError } from '../errors/index.ts'
import type { BlyanNode, ChatService } from '../node/index.ts'
import { inputError } from './input-error.ts'

/** Tokens of a later scope may do what those before it may. `none` needs no token. */
export const scopes = ['none', 'read', 'operate', 'sign'] as const
export type Scope = (typeof scopes)[number]

/** What a handler gives back; `sendReply` knows how to write each. */
export type Reply =
  | { readonly kind: 'json'; readonly body: unknown; readonly status?: number }
  | { readonly kind: 'text'; readonly text: string; readonly type: string }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'page'
      readonly type: string
      readonly bytes: Uint8Array
      readonly entityTag: string
      readonly headers: Readonly<Record<string, string>>
    }
  | { readonly kind: 'lines'; readonly items: AsyncIterable<unknown> }
  | {
      readonly kind: 'file'
      readonly sizeBytes: number
      readonly fileName: string
      readonly bytes: AsyncIterable<Uint8Array>
    }
  | { readonly kind: 'events'; readonly items: AsyncIterable<ServerSentEvent> }
  /** Server-sent events without names, as OpenAI's clients read them, `[DONE]` at the end. */
  | { readonly kind: 'chunks'; readonly items: AsyncIterable<unknown> }

export type ServerSentEvent = { readonly event: string; readonly data: unknown }

export type ApiHealth = {
  readonly status: 'ok' | 'degraded' | 'unavailable'
  readonly state: string
  readonly load: Readonly<Record<string, number>>
  readonly latency: Readonly<Record<string, number | null>>
}

export type RouteContext = {
  readonly node: BlyanNode
  readonly chat: ChatService
  readonly nowMs: () => number
  /** Called once the answer to a stop request is on its way. */
  readonly onStop: () => void
  readonly health: () => Promise<ApiHealth>
  readonly openApi: () => unknown
}

/** A body of raw bytes, with its limit. */
export type BytesBody = { readonly bytes: true; readonly limitBytes: number; readonly description: string }
export type AnswerType =
  | 'application/json'
  | 'application/x-ndjson'
  | 'application/octet-stream'
  | 'text/event-stream'
  | 'text/html'
  | 'text/javascript'
  | 'text/plain'

type Shape = z.ZodObject
type Parsed<P extends Shape, Q extends Shape, B extends z.ZodType> = {
  readonly params: z.output<P>
  readonly query: z.output<Q>
  readonly body: z.output<B>
  /** The raw body, bounded; for routes whose body is bytes. */
  readonly bytes: () => AsyncIterable<Uint8Array>
  /** Aborts when the client goes away or the API stops. */
  readonly signal: AbortSignal
}

type RouteSpec<P extends Shape, Q extends Shape, B extends z.ZodType> = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Parameters with a colon before them. */
  readonly path: string
  readonly scope: Scope
  readonly summary: string
  readonly params?: P
  readonly query?: Q
  readonly body?: B | BytesBody
  readonly answer: AnswerType
  readonly answerDescription: string
  readonly handle: (input: Parsed<P, Q, B>, context: RouteContext) => Promise<Reply>
}

export type RawInput = {
  readonly params: unknown
  readonly query: unknown
  readonly body: unknown
  readonly raw: IncomingMessage
  readonly signal: AbortSignal
}

export type Route = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  readonly scope: Scope
  readonly summary: string
  readonly params: z.ZodObject
  readonly query: z.ZodObject
  readonly body: z.ZodType | BytesBody | null
  readonly answer: AnswerType
  readonly answerDescription: string
  /** Checks the input, then handles it. Throws REQUEST_INVALID. */
  readonly run: (input: RawInput, context: RouteContext) => Promise<Reply>
}

const nothing = z.strictObject({})

/** One row of the table, with its input types known to its handler. */
export function route<
  P extends Shape = typeof nothing,
  Q extends Shape = typeof nothing,
  B extends z.ZodType = z.ZodUndefined
>(spec: RouteSpec<P, Q, B>): Route {
  const params = spec.params ?? nothing
  const query = spec.query ?? nothing
  const body = spec.body ?? null
  return {
    ...spec,
    params,
    query,
    body,
    run: (input, context) => {
      const parsed = {
        params: parse(params, input.params, 'path'),
        query: parse(query, input.query, 'query'),
        body: body === null || isBytesBody(body) ? undefined : parse(body, input.body, 'body'),
        bytes: () => boundedBytes(input.raw, body !== null && isBytesBody(body) ? body.limitBytes : 0),
        signal: input.signal
      }
      return spec.handle(parsed as Parsed<P, Q, B>, context)
    }
  }
}

export function isBytesBody(body: z.ZodType | BytesBody): body is BytesBody {
  return 'bytes' in body
}

/** All of a bounded stream in one piece. */
export async function collectBytes(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const chunk of chunks) parts.push(chunk)
  return new Uint8Array(Buffer.concat(parts))
}

function parse(schema: z.ZodType, value: unknown, place: string): unknown {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw inputError(result.error, place)
}

/** Leaves the connection whole when the reader stops early, so that the error still reaches the client. */
async function* boundedBytes(raw: IncomingMessage, limitBytes: number): AsyncGenerator<Uint8Array> {
  const tooLarge = new BlyanError('INPUT_TOO_LARGE', { what: 'the body', limitBytes })
  if (Number(raw.headers['content-length'] ?? 0) > limitBytes) throw tooLarge
  let sizeBytes = 0
  for await (const chunk of raw.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
    sizeBytes += chunk.length
    if (sizeBytes > limitBytes) throw tooLarge
    yield chunk
  }
}
