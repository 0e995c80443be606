import type { IncomingMessage } from 'node:http'
import type { Command } from 'commander'
import type { AnswerNotes, AnswerProgress } from '../api/index.ts'
import { BlyanError } from '../errors/index.ts'
import { answerModes, type ChatMessage } from '../node/index.ts'
import { wholeNumber } from './context.ts'
import { type DaemonClient, throwIfError } from './daemon-client.ts'

export type ChatOptions = {
  readonly model?: string
  readonly mode?: string
  readonly part?: Readonly<Record<string, string>>
  readonly maxTokens?: number
  readonly temperature?: number
  readonly topP?: number
  readonly seed?: number
  readonly stop?: readonly string[]
  readonly system?: string
}

/** An answer as it comes: the plan, text and now and then how far it is, the report. */
export type ChatPiece =
  | { readonly type: 'plan'; readonly model: string; readonly plan: AnswerNotes['plan'] }
  | { readonly type: 'text'; readonly text: string; readonly progress: AnswerProgress | undefined }
  | { readonly type: 'done'; readonly notes: AnswerNotes }

/** Parts of a model may have to come here before the first token. */
const silenceMsMax = 600_000
const lineCharactersMax = 16 << 20

export function withChatOptions(command: Command): Command {
  return command
    .option('--model <name>', 'who is to answer, as "model list" shows; genesis unless given')
    .option('--mode <mode>', `how: ${answerModes.join(', ')}; this node chooses unless given`, oneMode)
    .option(
      '--part <name=CID>',
      'another version of a part, by the CID of its tensor or block; may be given several times',
      pickedPart
    )
    .option('--max-tokens <n>', 'most tokens of an answer', wholeNumber(1, 1 << 20))
    .option('--temperature <n>', '0 takes the likeliest, up to 2 the more surprising; 1 unless given', decimal(0, 2))
    .option('--top-p <n>', 'draw from the likeliest tokens that have this share together', decimal(0, 1))
    .option('--seed <n>', 'the same seed gives the same answer', wholeNumber(0, Number.MAX_SAFE_INTEGER))
    .option('--stop <text>', 'end the answer before this text; may be given several times', collected)
    .option('--system <text>', 'what the model is told before anything else')
}

/** Asks the daemon. Leaving the loop, or destroying the stream handed to `onOpen`, cancels the rest of the answer. */
export async function* ask(
  daemon: DaemonClient,
  {
    messages,
    options,
    onOpen
  }: {
    readonly messages: readonly ChatMessage[]
    readonly options: ChatOptions
    readonly onOpen?: (answer: IncomingMessage) => void
  }
): AsyncGenerator<ChatPiece> {
  const { model, mode, part, maxTokens, temperature, topP, seed, stop, system } = options
  const opening = system === undefined ? [] : [{ role: 'system', content: system }]
  const answer = await daemon.bytes({
    method: 'POST',
    path: '/v1/chat/completions',
    body: {
      model,
      messages: [...opening, ...messages],
      max_completion_tokens: maxTokens,
      temperature,
      top_p: topP,
      seed,
      stop,
      stream: true,
      blyan: { mode, parts: part }
    },
    timeoutMs: silenceMsMax
  })
  onOpen?.(answer)
  try {
    for await (const line of linesOf(answer)) {
      if (!line.startsWith('data: ') || line === 'data: [DONE]') continue
      yield* piecesOf(line.slice('data: '.length))
    }
  } finally {
    answer.destroy()
  }
}

/** Unlike readline's, it also ends when the stream is destroyed: it throws then. */
async function* linesOf(answer: IncomingMessage): AsyncGenerator<string> {
  let rest = ''
  for await (const text of answer.setEncoding('utf8') as AsyncIterable<string>) {
    const lines = (rest + text).split('\n')
    rest = lines.pop()!
    if (rest.length > lineCharactersMax) throw new BlyanError('DAEMON_ANSWER_INVALID', { reason: 'an endless line' })
    yield* lines
  }
}

type Chunk = {
  readonly model: string
  readonly choices: readonly { readonly delta: { readonly content?: string }; readonly finish_reason: string | null }[]
  readonly blyan?: unknown
}

function* piecesOf(line: string): Generator<ChatPiece> {
  const document = parsed(line)
  throwIfError(document)
  const { model, choices, blyan } = document as Chunk
  const { delta, finish_reason: finish } = choices[0]!
  if (finish !== null) yield { type: 'done', notes: blyan as AnswerNotes }
  else if (blyan !== undefined && 'plan' in (blyan as object))
    yield { type: 'plan', model, plan: (blyan as Pick<AnswerNotes, 'plan'>).plan }
  else yield { type: 'text', text: delta.content ?? '', progress: blyan as AnswerProgress | undefined }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (error) {
    throw new BlyanError('DAEMON_ANSWER_INVALID', { reason: 'not JSON' }, { cause: error })
  }
}

function oneMode(text: string): string {
  if ((answerModes as readonly string[]).includes(text)) return text
  const reason = `"${text.slice(0, 40)}" is none of ${answerModes.join(', ')}`
  throw new BlyanError('USAGE', { reason, hint: 'correct that value' })
}

/** Collects `name=CID`. */
export function pickedPart(
  text: string,
  before: Readonly<Record<string, string>> = {}
): Readonly<Record<string, string>> {
  const [, name, cid] = /^([\w.:-]{1,128})=([A-Za-z0-9]{1,128})$/.exec(text) ?? []
  if (name !== undefined && cid !== undefined) return { ...before, [name]: cid }
  const reason = `"${text.slice(0, 80)}" is not NAME=CID`
  throw new BlyanError('USAGE', { reason, hint: 'see "blyan-node expert show NAME" for the versions of a part' })
}

function decimal(min: number, max: number): (text: string) => number {
  return text => {
    const value = Number(text)
    if (/^\d{1,3}(\.\d{1,9})?$/.test(text) && value >= min && value <= max) return value
    const reason = `"${text.slice(0, 40)}" is not a number from ${min} to ${max}`
    throw new BlyanError('USAGE', { reason, hint: 'correct that value' })
  }
}

function collected(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text]
}
