import { randomInt } from 'node:crypto'
import { BlyanError } from '../../errors/index.ts'
import type { BlyanNode } from '../blyan-node.ts'
import type {
  AnswerMode,
  AnswerPlan,
  AnswerReport,
  ChatMessage,
  ModelEntry,
  PartPicks,
  RunningAnswer,
  Tokenizer
} from './answer-types.ts'
import { createStopText } from './stop-text.ts'

export type ChatRequest = {
  /** Undefined: the model this node would choose. */
  readonly model: string | undefined
  readonly messages: readonly ChatMessage[]
  /** Undefined: as many as fit, at most 1024. */
  readonly tokensMax: number | undefined
  /** The answer ends where one of these begins. */
  readonly stop: readonly string[]
  readonly temperature: number
  readonly topP: number
  /** Undefined draws one. */
  readonly seed: string | undefined
  readonly mode: AnswerMode | undefined
  /** Versions of parts that stand in for the newest. */
  readonly parts?: PartPicks | undefined
  readonly signal: AbortSignal
}

/** `stop`: the model or a stop word ended it. `length`: as many tokens as were asked for. */
export type ChatEnd = 'stop' | 'length' | 'cancelled'

export interface RunningChat {
  readonly id: string
  readonly model: string
  readonly plan: AnswerPlan
  /** Text as it is made, once; leaving the loop cancels the rest. Ends quietly when it was cancelled. */
  readonly texts: AsyncIterable<string>
  /** Null until `texts` has ended. */
  readonly end: ChatEnd | null
  report(): AnswerReport
}

/** Conversations in text: makes tokens of them, and text of the tokens of an answer. */
export interface ChatService {
  /** Throws what `BlyanNode.answer` throws, TEXT_NOT_UTF8 and PROMPT_TEXT_TOO_LONG; nothing runs then. */
  begin(request: ChatRequest): Promise<RunningChat>
}

const tokensByDefaultMax = 1024
/** No tokenizer of ours has texts with more letters for each of their tokens. What is longer is not worth tokenizing. */
const charactersPerTokenMax = 16

export function createChatService(needs: {
  readonly node: Pick<BlyanNode, 'models' | 'tokenizer' | 'answer'>
}): ChatService {
  return new AnsweredChatService(needs.node)
}

class AnsweredChatService implements ChatService {
  readonly #node: Pick<BlyanNode, 'models' | 'tokenizer' | 'answer'>

  constructor(node: Pick<BlyanNode, 'models' | 'tokenizer' | 'answer'>) {
    this.#node = node
  }

  async begin(request: ChatRequest): Promise<RunningChat> {
    const { messages, signal } = request
    if (messages.some(({ content }) => !content.isWellFormed()))
      throw new BlyanError('TEXT_NOT_UTF8', { what: 'a message' })
    const entry = chosenModel(this.#node.models(), request.model)
    // A model that is not known is named in the refusal of the node.
    const model = entry?.name ?? request.model
    const tokenizer = await this.#node.tokenizer(model)
    const contextTokens = entry?.architecture.contextTokens ?? Number.MAX_SAFE_INTEGER
    requireReadable(messages, String(model), contextTokens)
    const tokens = tokenizer.chatPrompt(messages)
    signal.throwIfAborted()
    const tokensLeft = Math.max(1, contextTokens - tokens.length)
    const tokensMax = Math.min(request.tokensMax ?? tokensByDefaultMax, tokensLeft)
    const answer = await this.#node.answer({
      model,
      tokens,
      tokensMax,
      stopTokens: tokenizer.stopTokens,
      sampling: {
        temperature: request.temperature,
        topP: request.topP,
        seed: request.seed ?? String(randomInt(2 ** 47))
      },
      mode: request.mode,
      parts: request.parts,
      signal
    })
    return new TextOfAnswer({ answer, tokenizer, tokensMax, stop: request.stop, signal })
  }
}

/** The node's own choice where none is named; settled here once, so that tokens and answer are of one model. */
function chosenModel(entries: readonly ModelEntry[], name: string | undefined): ModelEntry | undefined {
  if (name !== undefined) return entries.find(entry => entry.name === name)
  return entries.find(entry => !entry.isGenesis && entry.isComplete) ?? entries.find(entry => entry.isGenesis)
}

function requireReadable(messages: readonly ChatMessage[], model: string, contextTokens: number): void {
  const characters = messages.reduce((sum, { content }) => sum + content.length, 0)
  if (characters > contextTokens * charactersPerTokenMax)
    throw new BlyanError('PROMPT_TEXT_TOO_LONG', { characters, model, tokensMax: contextTokens })
}

type TextNeeds = {
  readonly answer: RunningAnswer
  readonly tokenizer: Tokenizer
  readonly tokensMax: number
  readonly stop: readonly string[]
  readonly signal: AbortSignal
}

class TextOfAnswer implements RunningChat {
  readonly texts: AsyncIterable<string>
  readonly #needs: TextNeeds
  #end: ChatEnd | null = null

  constructor(needs: TextNeeds) {
    this.#needs = needs
    this.texts = this.#texts()
  }

  get id(): string {
    return this.#needs.answer.id
  }

  get model(): string {
    return this.#needs.answer.model
  }

  get plan(): AnswerPlan {
    return this.#needs.answer.plan
  }

  get end(): ChatEnd | null {
    return this.#end
  }

  report(): AnswerReport {
    return this.#needs.answer.report()
  }

  async *#texts(): AsyncGenerator<string> {
    const { answer, tokenizer, tokensMax, stop, signal } = this.#needs
    const decoder = tokenizer.decoder()
    const stopText = createStopText(stop)
    let tokens = 0
    try {
      for await (const step of answer.steps) {
        tokens += step.tokens.length
        const { text, isOver } = stopText.push(decoder.push(step.tokens))
        if (isOver) this.#end = 'stop'
        if (text !== '') yield text
        if (isOver) return
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      if (signal.aborted) this.#end ??= 'cancelled'
    }
    const last = stopText.push(decoder.end())
    this.#end ??= last.isOver || tokens < tokensMax ? 'stop' : 'length'
    const rest = last.text + (last.isOver ? '' : stopText.end())
    if (rest !== '') yield rest
  }
}
