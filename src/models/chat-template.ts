import { Template } from '@huggingface/jinja'
import { BlyanError } from '../errors/index.ts'
import { withinTime } from './bounded-time.ts'
import { tokenizerInvalid } from './tokenizer-record.ts'

export type ChatMessage = { readonly role: 'system' | 'user' | 'assistant'; readonly content: string }

/** Part of a prompt: text that may name special tokens, or text of a message that may not. */
export type PromptPiece = { readonly text: string; readonly special: boolean }

/** What the template makes of a conversation, up to where the answer begins. */
export type ChatTemplate = (messages: readonly ChatMessage[]) => readonly PromptPiece[]

type TemplateNeeds = {
  readonly template: string
  /** `bos_token` and the like, as the template may name them. */
  readonly tokenTexts: Readonly<Record<string, string>>
  /** Texts that are special tokens, longest first. */
  readonly specialTexts: readonly string[]
  readonly timeMsMax: number
}

const templateCharactersMax = 256 * 1024

/** Throws TOKENIZER_INVALID for a template that cannot be read; what it makes of messages, CHAT_TEMPLATE_FAILED. */
export function createChatTemplate(needs: TemplateNeeds): ChatTemplate {
  const { template, tokenTexts, specialTexts, timeMsMax } = needs
  if (template.length > templateCharactersMax)
    throw tokenizerInvalid(`its chat template has more than ${templateCharactersMax} characters`)
  const parsed = parse(template, timeMsMax)
  return messages => {
    const mark = markNotIn(messages)
    const marked = messages.map(message => ({
      ...message,
      content: specialTexts.reduce(
        (text, special, i) => text.replaceAll(special, `${mark}${i}${mark}`),
        message.content
      )
    }))
    const rendered = render(parsed, { messages: marked, add_generation_prompt: true, ...tokenTexts }, timeMsMax)
    // Every second piece between marks is the number of a special text that somebody wrote into a message.
    return rendered
      .split(mark)
      .map((text, i) => (i % 2 === 0 ? { text, special: true } : { text: specialTexts[Number(text)]!, special: false }))
      .filter(({ text }) => text.length > 0)
  }
}

function parse(template: string, timeMsMax: number): Template {
  try {
    return withinTime(timeMsMax, () => new Template(template))
  } catch (error) {
    throw tokenizerInvalid(`its chat template cannot be read: ${reasonOf(error)}`)
  }
}

function render(template: Template, values: Record<string, unknown>, timeMsMax: number): string {
  try {
    return withinTime(timeMsMax, () => template.render(values))
  } catch (error) {
    throw new BlyanError('CHAT_TEMPLATE_FAILED', { reason: reasonOf(error) })
  }
}

/** A character for private use that nobody wrote; templates neither change nor cut it. */
function markNotIn(messages: readonly ChatMessage[]): string {
  for (let code = 0xe000; code < 0xf8ff; code++) {
    const mark = String.fromCharCode(code)
    if (!messages.some(({ content }) => content.includes(mark))) return mark
  }
  throw new BlyanError('CHAT_TEMPLATE_FAILED', { reason: 'the messages hold every character for private use' })
}

function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 200)
}
