import type { IncomingMessage } from 'node:http'
import { createInterface, type Interface } from 'node:readline'
import type { AnswerProgress } from '../../api/index.ts'
import { BlyanError } from '../../errors/index.ts'
import type { ChatMessage } from '../../node/index.ts'
import { formatCoins } from '../amounts.ts'
import { ask, type ChatOptions, withChatOptions } from '../chat-client.ts'
import { planText, progressText, reportText, terminalText } from '../chat-text.ts'
import type { CommandContext, RegisterCommand } from '../context.ts'
import { DaemonError, describeFailure } from '../daemon-client.ts'
import { faint } from '../output.ts'

const interruptedExitCode = 130
const tooLongCodes: readonly string[] = ['PROMPT_TOO_LONG', 'PROMPT_TEXT_TOO_LONG']

export const register: RegisterCommand = (command, context) => {
  withChatOptions(command.argument('[prompt]', 'what to ask; a conversation begins when it is missing')).action(
    async (prompt: string | undefined, options: ChatOptions) => {
      const conversation = new Conversation(context(), options)
      if (prompt === undefined) await conversation.talk()
      else await conversation.askOnce(prompt)
    }
  )
}

class Conversation {
  readonly #context: CommandContext
  readonly #options: ChatOptions
  #messages: ChatMessage[] = []
  #costUnits = 0n
  /** The answer that is being made. */
  #answer: IncomingMessage | undefined
  #isCancelled = false

  constructor(context: CommandContext, options: ChatOptions) {
    this.#context = context
    this.#options = options
  }

  async askOnce(prompt: string): Promise<void> {
    if (prompt.trim() === '') throw new BlyanError('PROMPT_EMPTY')
    process.once('SIGINT', () => this.#cancel())
    await this.#turn(prompt)
    if (this.#isCancelled) process.exitCode = interruptedExitCode
  }

  /** A line is a turn, until the input ends. Ctrl+C ends the answer that is being made, or all when there is none. */
  async talk(): Promise<void> {
    const { output } = this.#context
    const isTerminal = process.stdin.isTTY === true && process.stderr.isTTY === true
    if (isTerminal) output.note(faint('Ctrl+C ends an answer, Ctrl+D the conversation'))
    const lines = createInterface({ input: process.stdin, output: isTerminal ? process.stderr : undefined })
    const onInterrupt = (): void => {
      if (this.#answer === undefined) process.exitCode = interruptedExitCode
      if (this.#answer === undefined) lines.close()
      else this.#cancel()
    }
    lines.on('SIGINT', onInterrupt)
    process.on('SIGINT', onInterrupt)
    try {
      await this.#turns(lines, isTerminal)
    } finally {
      process.off('SIGINT', onInterrupt)
      lines.close()
    }
  }

  async #turns(lines: Interface, isTerminal: boolean): Promise<void> {
    if (isTerminal) lines.prompt()
    for await (const line of lines) {
      if (line.trim() !== '') await this.#turnOrNote(line, isTerminal)
      if (isTerminal) lines.prompt()
    }
  }

  /** At a terminal a refusal ends a turn, not the conversation. */
  async #turnOrNote(line: string, isTerminal: boolean): Promise<void> {
    try {
      await this.#turn(line)
    } catch (error) {
      if (!isTerminal) throw error
      const { code, message, nextStep } = describeFailure(error)
      this.#context.output.note(`${code}: ${message}\n${nextStep}`)
    }
  }

  async #turn(prompt: string): Promise<void> {
    this.#messages.push({ role: 'user', content: prompt })
    try {
      const content = await this.#answered()
      this.#messages.push({ role: 'assistant', content })
    } catch (error) {
      this.#messages.pop()
      throw error
    } finally {
      this.#answer = undefined
    }
  }

  /** Where the conversation no longer fits, its oldest turns are left out. */
  async #answered(): Promise<string> {
    for (;;) {
      try {
        return await this.#streamed()
      } catch (error) {
        const isTooLong = error instanceof DaemonError && tooLongCodes.includes(error.code)
        if (!isTooLong || this.#messages.length < 3) throw error
        this.#messages = this.#messages.slice(2)
        this.#context.output.note(faint('the oldest turn no longer fits and is left out'))
      }
    }
  }

  async #streamed(): Promise<string> {
    const { output, daemon } = this.#context
    this.#isCancelled = false
    let content = ''
    let progress: AnswerProgress | undefined
    const onOpen = (answer: IncomingMessage): void => {
      this.#answer = answer
    }
    try {
      for await (const piece of ask(await daemon(), { messages: this.#messages, options: this.#options, onOpen })) {
        if (output.json) await output.line(piece, () => '')
        if (piece.type === 'plan' && !output.json) output.note(faint(planText(piece.model, piece.plan)))
        if (piece.type === 'text') {
          content += piece.text
          progress = piece.progress ?? progress
          if (!output.json) await output.raw(terminalText(piece.text))
        }
        if (piece.type === 'done') {
          await this.#endLine(content)
          this.#tellCost(piece.notes.costUnits, reportText(piece.notes))
          return content
        }
      }
    } catch (error) {
      if (!this.#isCancelled) throw error
    }
    if (!this.#isCancelled) throw new BlyanError('DAEMON_ANSWER_INVALID', { reason: 'the answer breaks off' })
    await this.#endLine(content)
    this.#tellCost(
      progress?.costUnits ?? '0',
      progress === undefined ? 'interrupted' : `interrupted; a moment before: ${progressText(progress)}`
    )
    return content
  }

  async #endLine(content: string): Promise<void> {
    if (!this.#context.output.json && !content.endsWith('\n')) await this.#context.output.raw('\n')
  }

  #tellCost(costUnits: string, text: string): void {
    this.#costUnits += BigInt(costUnits)
    const total = this.#messages.length > 1 ? `; ${formatCoins(this.#costUnits, 'BLY')} in this conversation` : ''
    this.#context.output.note(faint(text + total))
  }

  #cancel(): void {
    this.#isCancelled = true
    if (this.#answer === undefined) process.exit(interruptedExitCode)
    this.#answer.destroy()
  }
}
