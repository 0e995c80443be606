import { ChatAnswer } from './chat-stream.js'
import { announce, element, setText } from './elements.js'
import { coins, count, duration, plural, rate, shortId } from './format.js'

const turnsMax = 200
const holdersShownMax = 4
const modes = ['automatic', 'standard', 'distributed', 'optimised', 'secure']

/** A conversation with a model of the network. It is kept in this page only. */
export function createChatView({ client }) {
  const messages = []
  let running
  const select = element('select', { id: 'chat-model' })
  const log = element('div', {
    class: 'turns',
    role: 'log',
    'aria-label': 'Conversation',
    'aria-live': 'polite',
    tabindex: '0'
  })
  const empty = element(
    'p',
    { class: 'faint none' },
    'Ask something. The experts that answer may be on other machines; what they computed is counted and paid for.'
  )
  const input = element('textarea', { id: 'prompt', rows: '3', placeholder: 'Write a message', autocomplete: 'off' })
  const tokensMax = element('input', {
    id: 'tokens-max',
    type: 'number',
    min: '1',
    max: '4096',
    value: '256',
    inputmode: 'numeric'
  })
  const temperature = element('input', {
    id: 'temperature',
    type: 'number',
    min: '0',
    max: '2',
    step: '0.1',
    value: '0.7',
    inputmode: 'decimal'
  })
  const mode = element(
    'select',
    { id: 'mode' },
    modes.map(name => element('option', { value: name }, name))
  )
  const send = element('button', { type: 'submit', class: 'primary' }, 'Send')
  const stop = element('button', { type: 'button', class: 'primary', hidden: true }, 'Stop')
  const clear = element('button', { type: 'button', class: 'quiet', hidden: true }, 'New conversation')
  const form = element(
    'form',
    { class: 'composer' },
    element('label', { for: 'prompt', class: 'unseen' }, 'Message'),
    input,
    element(
      'div',
      { class: 'composer-row' },
      element(
        'details',
        { class: 'settings' },
        element('summary', {}, 'Settings'),
        field('Tokens at most', tokensMax),
        field('Temperature', temperature),
        field('Mode', mode)
      ),
      element('span', { class: 'grow faint hint' }, 'Enter sends, Shift+Enter makes a new line'),
      clear,
      stop,
      send
    )
  )
  const node = element(
    'div',
    { class: 'view chat' },
    element(
      'div',
      { class: 'chat-head' },
      element('h1', { tabindex: '-1' }, 'Chat'),
      element('div', { class: 'field-row' }, element('label', { for: 'chat-model' }, 'Model'), select)
    ),
    log,
    form
  )
  log.append(empty)
  form.addEventListener('submit', event => {
    event.preventDefault()
    void ask(input.value.trim())
  })
  input.addEventListener('keydown', event => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault()
      form.requestSubmit()
    }
  })
  stop.addEventListener('click', () => running?.abort())
  clear.addEventListener('click', () => {
    running?.abort()
    messages.length = 0
    log.replaceChildren(empty)
    clear.hidden = true
    input.focus()
  })

  async function ask(text) {
    if (text === '' || running !== undefined || messages.length >= turnsMax) return
    input.value = ''
    empty.remove()
    messages.push({ role: 'user', content: text })
    log.append(turn('You', 'user', text).node)
    const shown = turn(select.value || 'Model', 'model', '')
    log.append(shown.node)
    await answer(shown)
  }

  async function answer(shown) {
    const answer = new ChatAnswer()
    const startedMs = performance.now()
    running = new AbortController()
    setBusy(true)
    shown.node.setAttribute('aria-busy', 'true')
    let failure
    try {
      await client.events('/v1/chat/completions', {
        body: {
          model: select.value || undefined,
          messages,
          stream: true,
          stream_options: { include_usage: true },
          max_tokens: Number(tokensMax.value) || 256,
          temperature: Number(temperature.value),
          ...(mode.value === modes[0] ? {} : { blyan: { mode: mode.value } })
        },
        signal: running.signal,
        onMessage: message => {
          answer.take(message)
          setText(shown.text, answer.text)
          setText(shown.facts, factsText(answer, performance.now() - startedMs))
          stayAtEnd()
        }
      })
    } catch (error) {
      failure = error
    }
    const wasStopped = running.signal.aborted
    running = undefined
    setBusy(false)
    shown.node.removeAttribute('aria-busy')
    if (answer.text !== '') messages.push({ role: 'assistant', content: answer.text })
    else messages.pop()
    finish(shown, answer, { failure, wasStopped, elapsedMs: performance.now() - startedMs })
  }

  function finish(shown, answer, { failure, wasStopped, elapsedMs }) {
    if (failure !== undefined && !wasStopped) {
      shown.node.append(
        element('p', { class: 'turn-error', role: 'alert' }, `${failure.message}. ${failure.nextStep ?? ''}`.trim())
      )
      return
    }
    setText(shown.facts, `${factsText(answer, elapsedMs)}${wasStopped ? ', stopped' : ''}`)
    announce(wasStopped ? 'The answer was stopped' : 'The answer is complete')
    stayAtEnd()
  }

  function setBusy(isBusy) {
    send.hidden = isBusy
    stop.hidden = !isBusy
    clear.hidden = isBusy || messages.length === 0
    if (isBusy) stop.focus({ preventScroll: true })
    else if (document.activeElement === document.body || document.activeElement === stop)
      input.focus({ preventScroll: true })
  }

  function stayAtEnd() {
    if (log.scrollHeight - log.scrollTop - log.clientHeight < 120) log.scrollTop = log.scrollHeight
  }

  async function shown() {
    const found = await client.json('/v1/models').catch(() => undefined)
    const names = (found?.data ?? []).filter(model => model.blyan?.isComplete !== false).map(model => model.id)
    const before = select.value
    select.replaceChildren(
      ...(names.length === 0 ? ['genesis'] : names).map(name => element('option', { value: name }, name))
    )
    if (names.includes(before)) select.value = before
    else if (names.length > 0) select.value = names.find(name => name !== 'genesis') ?? names[0]
  }

  return { node, title: 'Chat', update() {}, shown }
}

function turn(who, kind, content) {
  const text = element('p', { class: 'turn-text' }, content)
  const facts = element('p', { class: 'turn-facts faint' })
  return {
    node: element('article', { class: `turn ${kind}` }, element('h2', { class: 'turn-who' }, who), text, facts),
    text,
    facts
  }
}

/** While it is made: what was planned. Then: speed, cost and who answered, as far as they are known. */
function factsText(answer, elapsedMs) {
  const { notes, tokens, finish } = answer
  const { plan, holders, tokensPerSecond, costUnits } = notes
  const facts = [
    tokens === null ? null : plural(tokens, 'token'),
    tokensPerSecond > 0 ? `${rate(tokensPerSecond)} tokens/s` : null,
    plan?.predictedTokensPerSecond ? `${rate(plan.predictedTokensPerSecond)} predicted` : null,
    duration(elapsedMs),
    costUnits === undefined ? null : costUnits === '0' ? 'free' : `${coins(costUnits)} BLY`,
    finish === null ? (plan?.why ?? null) : whoText(holders ?? [])
  ]
  return facts.filter(fact => fact !== null).join(' · ')
}

function whoText(holders) {
  if (holders.length === 0) return 'computed on this machine'
  const shown = holders
    .slice(0, holdersShownMax)
    .map(({ peerId, calls }) => `${shortId(peerId, 4, 4)} (${count(calls)} calls)`)
  const rest = holders.length - shown.length
  return `with ${shown.join(', ')}${rest > 0 ? ` and ${count(rest)} more` : ''}`
}

function field(name, control) {
  return element('div', { class: 'field' }, element('label', { for: control.id }, name), control)
}
