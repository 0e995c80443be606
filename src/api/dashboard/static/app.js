import { createChainsView } from './chains-view.js'
import { createChatView } from './chat-view.js'
import { NodeClient } from './client.js'
import { announce, element, setText } from './elements.js'
import { eventFacts } from './event-facts.js'
import { createExpertsView } from './experts-view.js'
import { shortId } from './format.js'
import { createLearningView } from './learning-view.js'
import { createNetworkView } from './network-view.js'
import { quorumWords, toneOf } from './quorum-words.js'
import { startTheme } from './theme.js'
import { createGate, forgetToken, takeToken } from './token-gate.js'

const statusEveryMs = 2000
const tickEveryMs = 10_000
const retryMsMax = 15_000

const main = document.getElementById('main')
const nav = document.getElementById('views')
const pill = document.getElementById('state')
const notice = document.getElementById('notice')
const foot = document.getElementById('foot')

let views
let current
let ending = new AbortController()

startTheme(document.getElementById('theme'), () => {
  for (const view of Object.values(views ?? {})) view.recolour?.()
})
addEventListener('hashchange', () => {
  const token = takeToken()
  if (views === undefined && token !== null) open(token)
  else if (views !== undefined) show(viewName(), true)
})
const token = takeToken()
if (token === null) askForToken()
else open(token)

function askForToken(reason) {
  ending.abort()
  views = undefined
  current = undefined
  nav.hidden = true
  pill.hidden = true
  notice.hidden = true
  setText(foot, '')
  const gate = createGate(open, reason)
  main.replaceChildren(gate.node)
  document.title = 'Blyan node'
  gate.focus()
}

function open(given) {
  ending.abort()
  ending = new AbortController()
  const { signal } = ending
  const client = new NodeClient(given, () => {
    if (signal.aborted) return
    forgetToken()
    askForToken('The node does not know that token.')
  })
  const needs = { client, fail: tell, showEvent: id => showEvent(client, id), showBlock }
  views = {
    network: createNetworkView(needs),
    chains: createChainsView(needs),
    experts: createExpertsView(needs),
    learning: createLearningView(needs),
    chat: createChatView(needs)
  }
  nav.hidden = false
  show(viewName(), false)
  const timer = setInterval(() => {
    if (document.visibilityState === 'visible') current?.tick?.()
  }, tickEveryMs)
  signal.addEventListener('abort', () => clearInterval(timer))
  void follow(client, signal)
}

function viewName() {
  const name = location.hash.replace(/^#\/?/, '')
  return Object.hasOwn(views, name) ? name : 'network'
}

function show(name, andFocus) {
  current = views[name]
  main.replaceChildren(current.node)
  for (const link of nav.querySelectorAll('a')) {
    if (link.hash === `#/${name}`) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
  }
  document.title = `${current.title} · Blyan node`
  if (andFocus) current.node.querySelector('h1').focus({ preventScroll: true })
  scrollTo(0, 0)
  void current.shown?.()
}

function showBlock(cid) {
  location.hash = '#/chains'
  void views.chains.follow(cid)
}

/** Listens to the node as long as this page is open; when the line breaks, again and again, with patience. */
async function follow(client, signal) {
  let waitMs = 500
  let state
  while (!signal.aborted) {
    try {
      await client.events(`/v0/stream?statusEveryMs=${statusEveryMs}`, {
        signal,
        onMessage: ({ event, data }) => {
          waitMs = 500
          if (event === 'status') state = takeStatus(JSON.parse(data), state)
          else if (event === 'event') views.network.addEvent(JSON.parse(data))
        }
      })
    } catch {
      // The line broke, or there is no node: what is shown says so below.
    }
    if (signal.aborted) return
    setPill('not connected', 'bad')
    tell(
      new Error('The node does not answer. It may have been stopped; this page goes on as soon as it is back.'),
      true
    )
    if (state !== undefined) announce('The connection to the node is lost')
    state = undefined
    await new Promise(resolve => setTimeout(resolve, waitMs))
    waitMs = Math.min(waitMs * 2, retryMsMax)
  }
}

function takeStatus(status, before) {
  if (notice.dataset.kind === 'line') notice.hidden = true
  for (const view of Object.values(views)) view.update(status)
  setPill(status.state, toneOf(status.state))
  const footText = `${status.network} · node ${shortId(status.nodeId, 4, 6)} · ${status.roles.join(', ') || 'follows'} · version ${status.version}`
  setText(foot, footText)
  const state = `${status.state}. ${quorumWords(status).headline}`
  if (before !== undefined && before !== state) announce(state)
  return state
}

function setPill(text, tone) {
  pill.hidden = false
  pill.dataset.tone = tone
  setText(pill, text)
}

/** Says what went wrong, above the page, until it is dismissed by going on. */
function tell(error, isLine = false) {
  if (error.name === 'AbortError' || error.status === 401) return
  notice.hidden = false
  notice.dataset.kind = isLine ? 'line' : 'once'
  setText(notice, `${error.message}${error.nextStep ? ` (${error.nextStep})` : ''}`)
  if (!isLine)
    setTimeout(() => {
      if (notice.dataset.kind === 'once') notice.hidden = true
    }, 8000)
}

async function showEvent(client, id) {
  try {
    const facts = eventFacts(await client.json(`/v0/events/${id}`))
    const close = element('button', { type: 'button', class: 'quiet', onclick: () => dialog.close() }, 'Close')
    const dialog = element(
      'dialog',
      { 'aria-labelledby': 'event-title' },
      element('h2', { id: 'event-title' }, 'Event'),
      facts,
      close
    )
    dialog.addEventListener('close', () => dialog.remove())
    dialog.addEventListener('click', event => {
      if (event.target === dialog) dialog.close()
    })
    document.body.append(dialog)
    dialog.showModal()
  } catch (error) {
    tell(error)
  }
}
