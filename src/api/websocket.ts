import type { WebSocket } from '@fastify/websocket'
import { z } from 'zod'
import { BlyanError } from '../errors/index.ts'
import type { ChatService } from '../node/index.ts'
import { chatBody, chatRequestOf } from './chat-inputs.ts'
import { inputError } from './input-error.ts'
import { answerNotes, openAiError, progressTeller, usageOf } from './openai-shape.ts'

/** Connections over which several answers run at a time: each has an id of the client's and can be cancelled by it. */
export interface ChatSockets {
  /** Serves a connection until it closes. */
  add(socket: WebSocket): void
  /** Connections that are open. */
  readonly size: number
  /** Cancels all answers and ends all connections. */
  stop(): void
}

export type ChatSocketsNeeds = { readonly chat: ChatService; readonly onClose: () => void }

const keepAliveEveryMs = 10_000
const answersPerSocketMax = 8
/** What a client has not taken yet; one that lets more pile up is let go. */
const unsentBytesMax = 4 << 20
const drainedBytesMax = 64 << 10
const stoppedCode = 1001
const tooSlowCode = 1013

export function createChatSockets(needs: ChatSocketsNeeds): ChatSockets {
  return new KeptSockets(needs)
}

const answerId = z.string().min(1).max(64)
const askMessage = chatBody
  .omit({ stream: true, stream_options: true })
  .extend({ type: z.literal('ask'), id: answerId })
const cancelMessage = z.strictObject({ type: z.literal('cancel'), id: answerId })
const clientMessage = z.discriminatedUnion(
  'type',
  [askMessage, cancelMessage],
  'a message has the type "ask" or "cancel"'
)

const nothingDone = { end: 'cancelled', usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 } }

class KeptSockets implements ChatSockets {
  readonly #needs: ChatSocketsNeeds
  readonly #open = new Set<ChatSocket>()
  #keepAlive: NodeJS.Timeout | undefined

  constructor(needs: ChatSocketsNeeds) {
    this.#needs = needs
  }

  get size(): number {
    return this.#open.size
  }

  add(socket: WebSocket): void {
    const chatSocket = new ChatSocket(socket, this.#needs.chat)
    this.#open.add(chatSocket)
    // One clock for all connections.
    this.#keepAlive ??= setInterval(() => {
      for (const one of this.#open) one.keepAlive()
    }, keepAliveEveryMs)
    socket.once('close', () => {
      chatSocket.cancelAll()
      this.#open.delete(chatSocket)
      if (this.#open.size === 0) this.#stopClock()
      this.#needs.onClose()
    })
  }

  stop(): void {
    this.#stopClock()
    for (const socket of this.#open) socket.end()
  }

  #stopClock(): void {
    clearInterval(this.#keepAlive)
    this.#keepAlive = undefined
  }
}

class ChatSocket {
  readonly #socket: WebSocket
  readonly #chat: ChatService
  readonly #answers = new Map<string, AbortController>()
  #isAlive = true

  constructor(socket: WebSocket, chat: ChatService) {
    this.#socket = socket
    this.#chat = chat
    socket.on('pong', () => {
      this.#isAlive = true
    })
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#receive(data, isBinary))
  }

  /** Whoever did not answer the last time is gone. */
  keepAlive(): void {
    if (this.#isAlive) this.#socket.ping()
    else this.#socket.terminate()
    this.#isAlive = false
  }

  cancelAll(): void {
    for (const controller of this.#answers.values()) controller.abort()
  }

  end(): void {
    this.cancelAll()
    this.#socket.close(stoppedCode, 'the node stops')
  }

  #receive(data: Buffer, isBinary: boolean): void {
    let id: string | null = null
    try {
      const message = parseMessage(data, isBinary)
      id = idOf(message)
      const parsed = clientMessage.safeParse(message)
      if (!parsed.success) throw inputError(parsed.error, 'message')
      if (parsed.data.type === 'ask') this.#ask(parsed.data)
      else this.#answers.get(parsed.data.id)?.abort()
    } catch (error) {
      void this.#send({ type: 'error', id, ...openAiError(error) })
    }
  }

  #ask({ type: _type, id, ...body }: z.output<typeof askMessage>): void {
    if (this.#answers.has(id)) throw new BlyanError('STREAM_ANSWER_OPEN', { id })
    if (this.#answers.size >= answersPerSocketMax)
      throw new BlyanError('STREAM_ANSWERS_FULL', { limit: answersPerSocketMax })
    const controller = new AbortController()
    this.#answers.set(id, controller)
    void this.#answer(id, body, controller.signal)
      .catch(error =>
        // Cancelled before it began: nothing was computed.
        this.#send(
          controller.signal.aborted
            ? { type: 'done', id, ...nothingDone }
            : { type: 'error', id, ...openAiError(error) }
        )
      )
      .finally(() => this.#answers.delete(id))
  }

  async #answer(
    id: string,
    body: Omit<z.output<typeof askMessage>, 'type' | 'id'>,
    signal: AbortSignal
  ): Promise<void> {
    const chat = await this.#chat.begin(chatRequestOf(body, signal))
    await this.#send({ type: 'plan', id, answer: chat.id, model: chat.model, plan: chat.plan })
    const progress = progressTeller(chat, Date.now)
    for await (const text of chat.texts) await this.#send({ type: 'text', id, text, ...progress() })
    this.#answers.delete(id)
    await this.#send({ type: 'done', id, usage: usageOf(chat.report()), ...answerNotes(chat) })
  }

  /** Resolves once the client may be sent more; what it does not take for long ends the connection. */
  async #send(message: unknown): Promise<void> {
    const socket = this.#socket
    if (socket.readyState !== socket.OPEN) return
    if (socket.bufferedAmount > unsentBytesMax) return socket.close(tooSlowCode, 'too much was not taken')
    const sent = new Promise<void>(resolve => socket.send(JSON.stringify(message), () => resolve()))
    if (socket.bufferedAmount > drainedBytesMax) await sent
  }
}

function parseMessage(data: Buffer, isBinary: boolean): unknown {
  if (isBinary) throw new BlyanError('STREAM_MESSAGE_INVALID', { reason: 'messages are JSON in text frames' })
  try {
    return JSON.parse(data.toString('utf8'))
  } catch (error) {
    throw new BlyanError('STREAM_MESSAGE_INVALID', { reason: 'it is not JSON' }, { cause: error })
  }
}

/** So that even a refusal of what makes no sense tells what it is about. */
function idOf(message: unknown): string | null {
  const parsed = z.object({ id: answerId }).safeParse(message)
  return parsed.success ? parsed.data.id : null
}
