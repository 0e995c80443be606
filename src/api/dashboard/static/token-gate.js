import { element, setText } from './elements.js'

const storageKey = 'blyan.token'
const tokenPattern = /^[\x21-\x7e]{8,256}$/

/**
 * The token of this tab: out of the part of the address behind `#`, which no server ever sees, or as it was given before.
 * It leaves the address at once, so that it stays out of the history and of screenshots.
 */
export function takeToken() {
  const found = /[#&]token=([^&]+)/.exec(location.hash)
  if (found !== null) {
    const token = decodeURIComponent(found[1])
    history.replaceState(null, '', `${location.pathname}#/network`)
    if (tokenPattern.test(token)) sessionStorage.setItem(storageKey, token)
  }
  return sessionStorage.getItem(storageKey)
}

export function forgetToken() {
  sessionStorage.removeItem(storageKey)
}

/** Asks for a token. `reason` says why it is asked for again. */
export function createGate(onToken, reason) {
  const problem = element('p', { class: 'turn-error', role: 'alert', id: 'token-problem' }, reason ?? '')
  problem.hidden = reason === undefined
  const input = element('input', {
    id: 'token',
    type: 'password',
    autocomplete: 'off',
    spellcheck: 'false',
    required: true,
    'aria-describedby': 'token-help token-problem'
  })
  const form = element(
    'form',
    { class: 'card gate' },
    element('h1', { tabindex: '-1' }, 'Open this node'),
    element(
      'p',
      { id: 'token-help' },
      'The node answers whoever has one of its tokens. Use the address that ',
      element('code', {}, 'blyan-node start'),
      ' prints on a terminal, or copy what is in the file ',
      element('code', {}, 'api-token.operate'),
      ' of its data folder.'
    ),
    element('label', { for: 'token' }, 'Token'),
    input,
    problem,
    element('button', { type: 'submit', class: 'primary' }, 'Open'),
    element('p', { class: 'faint' }, 'It stays in this tab and is sent to this node only.')
  )
  form.addEventListener('submit', event => {
    event.preventDefault()
    const token = input.value.trim()
    if (!tokenPattern.test(token)) {
      problem.hidden = false
      return setText(problem, 'A token is one line of letters, digits, "-" and "_".')
    }
    sessionStorage.setItem(storageKey, token)
    onToken(token)
  })
  return { node: form, focus: () => input.focus() }
}
