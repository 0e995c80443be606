import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { describeError, isBlyanError } from '../errors/index.ts'
import { chunkTexts, eventTexts, keepAliveEveryMs, writeEventStream } from './event-stream.ts'
import type { Reply } from './route.ts'

/** Writes what a handler gave back. Streams go at the reader's pace; a reader that stops reading is let go. */
export async function sendReply(reply: FastifyReply, answer: Reply, signal: AbortSignal): Promise<void> {
  switch (answer.kind) {
    case 'json':
      await reply.code(answer.status ?? 200).send(answer.body)
      return
    case 'text':
      await reply.type(answer.type).send(answer.text)
      return
    case 'bytes':
      await reply.type('application/octet-stream').send(Buffer.from(answer.bytes))
      return
    case 'page':
      void reply.headers({ ...answer.headers, etag: answer.entityTag })
      if (reply.request.headers['if-none-match'] === answer.entityTag) await reply.code(304).send()
      else await reply.type(answer.type).send(Buffer.from(answer.bytes))
      return
    case 'lines':
      await reply.type('application/x-ndjson').send(Readable.from(ndjson(await startedIterable(answer.items))))
      return
    case 'file':
      await reply
        .type('application/octet-stream')
        .header('content-length', answer.sizeBytes)
        .header('content-disposition', `attachment; filename="${answer.fileName.replace(/[^\w.-]/g, '_')}"`)
        .send(Readable.from(await startedIterable(answer.bytes), { objectMode: false }))
      return
    case 'events': {
      const items = await startedIterable(answer.items)
      reply.hijack()
      await writeEventStream(reply.raw, eventTexts(items, errorBody), signal)
      return
    }
    case 'chunks': {
      const items = await startedIterable(answer.items, AbortSignal.timeout(keepAliveEveryMs))
      reply.hijack()
      await writeEventStream(reply.raw, chunkTexts(items), signal)
    }
  }
}

/** `refusal`: the code with which the network refused an event. */
export function errorBody(error: unknown): {
  error: { code: string; message: string; nextStep: string; refusal?: string }
} {
  const { code, message, nextStep } = describeError(error)
  const refusal = isBlyanError(error, 'EVENT_REFUSED') ? { refusal: String(error.payload.code) } : {}
  return { error: { code, message, nextStep, ...refusal } }
}

/** Waits for the first item, so that a failure before it still becomes a proper error answer; `patience` ends the wait. */
async function startedIterable<T>(items: AsyncIterable<T>, patience?: AbortSignal): Promise<AsyncIterable<T>> {
  const iterator = items[Symbol.asyncIterator]()
  const first = iterator.next()
  const isEnough = Promise.withResolvers<void>()
  patience?.addEventListener('abort', () => isEnough.resolve(), { once: true })
  await Promise.race([first, isEnough.promise])
  return {
    async *[Symbol.asyncIterator]() {
      try {
        for (let next = await first; next.done !== true; next = await iterator.next()) yield next.value
      } finally {
        await iterator.return?.()
      }
    }
  }
}

/** A failure on the way becomes a last line, since the status is long sent. */
async function* ndjson(items: AsyncIterable<unknown>): AsyncGenerator<string> {
  try {
    for await (const item of items) yield `${JSON.stringify(item)}\n`
  } catch (error) {
    yield `${JSON.stringify(errorBody(error))}\n`
  }
}
