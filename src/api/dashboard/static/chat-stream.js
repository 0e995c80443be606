/** One answer as it comes in: its text, what it cost and who made it. Pure. */
export class ChatAnswer {
  text = ''
  finish = null
  usage = null
  /** What only this kind of node says: the plan first, then speed and cost now and then, at the end who answered. */
  notes = {}

  /** Takes one message of the stream. Throws what the node reports in the midst of it. */
  take({ data }) {
    if (data === '[DONE]') return
    const chunk = JSON.parse(data)
    if (chunk.error !== undefined) throw Object.assign(new Error(chunk.error.message), { code: chunk.error.code })
    const choice = chunk.choices?.[0]
    this.text += choice?.delta?.content ?? ''
    this.finish = choice?.finish_reason ?? this.finish
    this.usage = chunk.usage ?? this.usage
    Object.assign(this.notes, chunk.blyan)
  }

  get tokens() {
    return this.usage?.completion_tokens ?? this.notes.tokens ?? null
  }
}
