import { BlyanError } from '../../errors/index.ts'
import { ask, type ChatOptions, withChatOptions } from '../chat-client.ts'
import { reportText, terminalText } from '../chat-text.ts'
import { type RegisterCommand, readInput } from '../context.ts'

const promptBytesMax = 1 << 20

/** For scripts: a prompt goes in, the answer comes out, and nothing else on stdout. */
export const register: RegisterCommand = (command, context) => {
  withChatOptions(command.argument('[prompt]', 'what to ask; standard input when it is missing or "-"')).action(
    async (prompt: string | undefined, options: ChatOptions) => {
      const { output, daemon } = context()
      const content = prompt === undefined || prompt === '-' ? await promptOfInput() : prompt
      if (content.trim() === '') throw new BlyanError('PROMPT_EMPTY')
      let text = ''
      for await (const piece of ask(await daemon(), { messages: [{ role: 'user', content }], options })) {
        if (piece.type === 'text') text += piece.text
        if (piece.type === 'text' && !output.json)
          await output.raw(process.stdout.isTTY ? terminalText(piece.text) : piece.text)
        if (piece.type === 'done' && output.json) await output.answer({ text, ...piece.notes }, () => '')
        if (piece.type === 'done' && output.verbose) output.note(reportText(piece.notes))
      }
      if (!output.json && !text.endsWith('\n')) await output.raw('\n')
    }
  )
}

/** Throws INPUT_TOO_LARGE, TEXT_NOT_UTF8. */
async function promptOfInput(): Promise<string> {
  const bytes = await readInput('-', 'the prompt', promptBytesMax)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw new BlyanError('TEXT_NOT_UTF8', { what: 'the prompt' }, { cause: error })
  }
}
