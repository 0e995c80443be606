import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { openAiError } from './openai-shape.ts'
import type { ServerSentEvent } from './route.ts'

/** Also how long a stream may be silent before it begins: after that its reader sees signs of life. */
export const keepAliveEveryMs = 10_000
const drainWithinMs = 60_000

/** Server-sent events as text. A failure on the way becomes the last of them, since the status is long sent. */
export async function* eventTexts(
  items: AsyncIterable<ServerSentEvent>,
  errorBody: (error: unknown) => unknown
): AsyncGenerator<string> {
  try {
    for await (const { event, data } of items) yield `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
  } catch (error) {
    yield `event: error\ndata: ${JSON.stringify(errorBody(error))}\n\n`
  }
}

/** The same without names, as OpenAI's clients read them. */
export async function* chunkTexts(items: AsyncIterable<unknown>): AsyncGenerator<string> {
  try {
    for await (const item of items) yield `data: ${JSON.stringify(item)}\n\n`
    yield 'data: [DONE]\n\n'
  } catch (error) {
    yield `data: ${JSON.stringify(openAiError(error))}\n\n`
  }
}

/** Writes at the reader's pace, with a comment now and then that keeps the connection alive; a reader that stops is let go. */
export async function writeEventStream(
  raw: ServerResponse,
  texts: AsyncIterable<string>,
  signal: AbortSignal
): Promise<void> {
  raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'blyan-api': '0' })
  raw.flushHeaders()
  const keepAlive = setInterval(() => {
    if (!raw.writableNeedDrain) raw.write(': still here\n\n')
  }, keepAliveEveryMs)
  try {
    for await (const text of texts) {
      if (signal.aborted) break
      if (!raw.write(text))
        await once(raw, 'drain', { signal: AbortSignal.any([signal, AbortSignal.timeout(drainWithinMs)]) })
    }
  } catch {
    // The reader is gone, or took nothing for too long.
    raw.destroy()
  } finally {
    clearInterval(keepAlive)
    raw.end()
  }
}
