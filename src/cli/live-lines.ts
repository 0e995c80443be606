import { BlyanError } from '../errors/index.ts'
import { type DaemonCall, type DaemonClient, throwIfError } from './daemon-client.ts'

const lineCharactersMax = 16 << 20

/**
 * JSON documents as the daemon makes them, a line each, however long it is silent. Ends quietly when `signal` aborts; throws
 * DAEMON_GONE when the daemon goes away before it has ended them.
 */
export async function* liveLines<T>(daemon: DaemonClient, call: DaemonCall, signal: AbortSignal): AsyncGenerator<T> {
  if (signal.aborted) return
  const answer = await daemon.bytes({ ...call, timeoutMs: 0 })
  const leave = (): void => void answer.destroy()
  signal.addEventListener('abort', leave, { once: true })
  if (signal.aborted) leave()
  let rest = ''
  try {
    for await (const text of answer.setEncoding('utf8') as AsyncIterable<string>) {
      const lines = (rest + text).split('\n')
      rest = lines.pop()!
      if (rest.length > lineCharactersMax) throw new BlyanError('DAEMON_ANSWER_INVALID', { reason: 'an endless line' })
      for (const line of lines) if (line !== '') yield documentOf<T>(line)
    }
  } catch (error) {
    if (signal.aborted) return
    if ((error as NodeJS.ErrnoException).code === 'ECONNRESET')
      throw new BlyanError('DAEMON_GONE', {}, { cause: error })
    throw error
  } finally {
    signal.removeEventListener('abort', leave)
    answer.destroy()
  }
}

function documentOf<T>(line: string): T {
  let document: unknown
  try {
    document = JSON.parse(line)
  } catch (error) {
    throw new BlyanError('DAEMON_ANSWER_INVALID', { reason: 'not JSON' }, { cause: error })
  }
  throwIfError(document)
  return document as T
}
