import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { describeError, isBlyanError } from '../errors/index.ts'
import type { Reply, ServerSentEvent } from './route.ts'

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
      await writeEvents(reply.raw, items, signal)
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

const keepAliveEveryMs = 15_000
const drainWithinMs = 60_000

/** Waits for the first item, so that a failure before it still becomes a proper error answer. */
async function startedIterable<T>(items: AsyncIterable<T>): Promise<AsyncIterable<T>> {
  const iterator = items[Symbol.asyncIterator]()
  const first = await iterator.next()
  return {
    async *[Symbol.asyncIterator]() {
      try {
        if (first.done !== true) yield first.value
        else return
        for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value
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

async function writeEvents(
  raw: ServerResponse,
  items: AsyncIterable<ServerSentEvent>,
  signal: AbortSignal
): Promise<void> {
  raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'blyan-api': '0' })
  const keepAlive = setInterval(() => {
    if (!raw.writableNeedDrain) raw.write(': still here\n\n')
  }, keepAliveEveryMs)
  try {
    for await (const { event, data } of items) {
      if (!raw.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)) {
        await once(raw, 'drain', { signal: AbortSignal.any([signal, AbortSignal.timeout(drainWithinMs)]) })
      }
      if (signal.aborted) break
    }
  } catch (error) {
    if (!signal.aborted) raw.write(`event: error\ndata: ${JSON.stringify(errorBody(error))}\n\n`)
  } finally {
    clearInterval(keepAlive)
    raw.end()
  }
}
