import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { createInterface } from 'node:readline'
import { BlyanError, describeError, type ErrorCode, errorTable } from '../errors/index.ts'
import { type DataFolderPaths, readApiAddress, readApiToken } from '../node/index.ts'

/** Speaks with the daemon of a data folder. Every call ends: with an answer, an error of the daemon, or a timeout. */
export interface DaemonClient {
  json<T>(call: DaemonCall): Promise<T>
  /** A JSON document a line, as they come. */
  lines<T>(call: DaemonCall): AsyncIterable<T>
  bytes(call: DaemonCall): Promise<IncomingMessage>
}

export type DaemonCall = {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly body?: unknown
  readonly upload?: { readonly bytes: AsyncIterable<Uint8Array>; readonly sizeBytes: number }
  /** Longest silence. */
  readonly timeoutMs?: number
}

/** An error that the daemon described, by a code this version may not know. */
export class DaemonError extends Error {
  readonly code: string
  readonly nextStep: string
  readonly exitCode: number
  /** Why the network refused an event, where that is what failed. */
  readonly refusal: string | undefined

  constructor(described: { code: string; message: string; nextStep: string; refusal?: string | undefined }) {
    super(described.message)
    this.name = 'DaemonError'
    this.code = described.code
    this.nextStep = described.nextStep
    this.exitCode = errorTable[described.code as ErrorCode]?.exitCode ?? 1
    this.refusal = described.refusal
  }
}

export function describeFailure(error: unknown): { code: string; message: string; nextStep: string; exitCode: number } {
  if (!(error instanceof DaemonError)) return describeError(error)
  const { code, message, nextStep, exitCode } = error
  return { code, message, nextStep, exitCode }
}

const answerBytesMax = 64 << 20
const defaultTimeoutMs = 30_000

export async function connectToDaemon(paths: DataFolderPaths): Promise<DaemonClient> {
  const address = await readApiAddress(paths)
  if (address === null) throw new BlyanError('DAEMON_NOT_REACHABLE', { path: paths.root, reason: 'it is not running' })
  const token = await readApiToken(paths)
  if (token === null)
    throw new BlyanError('DAEMON_NOT_REACHABLE', { path: paths.root, reason: `${paths.apiTokenFile} cannot be read` })
  return new HttpDaemonClient(address.url, token, paths.root)
}

class HttpDaemonClient implements DaemonClient {
  readonly #url: string
  readonly #token: string
  readonly #folder: string

  constructor(url: string, token: string, folder: string) {
    this.#url = url
    this.#token = token
    this.#folder = folder
  }

  async json<T>(call: DaemonCall): Promise<T> {
    return parseAnswer(await textOf(await this.bytes(call))) as T
  }

  async *lines<T>(call: DaemonCall): AsyncIterable<T> {
    const answer = await this.bytes(call)
    for await (const line of createInterface({ input: answer, crlfDelay: Number.POSITIVE_INFINITY })) {
      if (line === '') continue
      const document = parseAnswer(line)
      throwIfError(document)
      yield document as T
    }
  }

  async bytes(call: DaemonCall): Promise<IncomingMessage> {
    const answer = await this.#send(call)
    if (answer.headers['blyan-api'] === undefined) {
      answer.destroy()
      throw this.#notReachable('another program answers at its address')
    }
    if ((answer.statusCode ?? 500) < 400) return answer
    const document = parseAnswer(await textOf(answer))
    throwIfError(document)
    throw new BlyanError('DAEMON_ANSWER_INVALID', { reason: `status ${answer.statusCode} without an error` })
  }

  #send(call: DaemonCall): Promise<IncomingMessage> {
    const { method = 'GET', path, query = {}, timeoutMs = defaultTimeoutMs } = call
    const url = new URL(path, this.#url)
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, String(value))
    const body = call.body === undefined ? null : Buffer.from(JSON.stringify(call.body))
    const sizeBytes = call.upload?.sizeBytes ?? body?.length
    const headers = {
      authorization: `Bearer ${this.#token}`,
      ...(sizeBytes === undefined ? {} : { 'content-length': sizeBytes }),
      ...(call.upload !== undefined
        ? { 'content-type': 'application/octet-stream' }
        : body === null
          ? {}
          : { 'content-type': 'application/json' })
    }
    return new Promise((resolve, reject) => {
      const sent = request(url, { method, headers, agent: false, timeout: timeoutMs })
      let answered = false
      sent.on('response', answer => {
        answered = true
        resolve(answer)
      })
      sent.on('timeout', () => {
        const what = `${method} ${path}`
        sent.destroy(new BlyanError('DAEMON_TOO_SLOW', { what, timeoutMs }))
      })
      // After the answer has begun, its reader sees what goes wrong.
      sent.on('error', error => {
        if (!answered) reject(error instanceof BlyanError ? error : this.#notReachable(reasonOf(error)))
      })
      if (call.upload === undefined) sent.end(body ?? undefined)
      else void upload(sent, call.upload.bytes, () => answered).catch(error => sent.destroy(error as Error))
    })
  }

  #notReachable(reason: string): BlyanError {
    return new BlyanError('DAEMON_NOT_REACHABLE', { path: this.#folder, reason })
  }
}

/** Sends at the daemon's pace and stops once it has answered: it has then refused the rest. */
async function upload(
  sent: ReturnType<typeof request>,
  chunks: AsyncIterable<Uint8Array>,
  answered: () => boolean
): Promise<void> {
  const answer = once(sent, 'response').catch(() => {})
  for await (const chunk of chunks) {
    if (answered() || sent.destroyed) return
    if (!sent.write(chunk)) await Promise.race([once(sent, 'drain').catch(() => {}), answer])
  }
  sent.end()
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of answer) {
    sizeBytes += (chunk as Buffer).length
    if (sizeBytes > answerBytesMax)
      throw new BlyanError('DAEMON_ANSWER_INVALID', { reason: `over ${answerBytesMax} bytes` })
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parseAnswer(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new BlyanError('DAEMON_ANSWER_INVALID', { reason: 'not JSON' }, { cause: error })
  }
}

/** Throws DaemonError for a document that describes one. */
export function throwIfError(document: unknown): void {
  const { code, message, nextStep, refusal } = (document as { error?: Record<string, unknown> } | null)?.error ?? {}
  if (typeof code !== 'string') return
  throw new DaemonError({
    code,
    message: String(message),
    nextStep: String(nextStep),
    refusal: typeof refusal === 'string' ? refusal : undefined
  })
}

function reasonOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ECONNREFUSED' ? 'nothing listens at its address' : error.message
}
