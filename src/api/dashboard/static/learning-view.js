import { card, descriptions, element, keepList, setAttribute, setText } from './elements.js'
import { clockTime } from './format.js'
import {
  dutyFacts,
  learnerFacts,
  learningWords,
  lossText,
  outcomeText,
  reasonText,
  roundFacts
} from './learning-words.js'

const candidatesShownMax = 16
const outcomesShownMax = 8

/** How the network learns, and what this node does for it. */
export function createLearningView({ client, fail }) {
  const headline = element('span', { class: 'headline' })
  const model = element('p', { class: 'lead' })
  const round = card('Round', {})
  const learner = card('This learner', {})
  const duties = card('As a validator', {})
  const outcomes = element('ol', { class: 'plain rows', 'aria-label': 'Newest deltas first' })
  const deltas = card('Deltas', {}, outcomes)
  const body = element('tbody')
  const candidates = element(
    'table',
    {},
    element('caption', { class: 'unseen' }, 'Candidates'),
    element(
      'thead',
      {},
      element(
        'tr',
        {},
        ['From', 'Status', 'Loss'].map(name => element('th', { scope: 'col' }, name))
      )
    ),
    body
  )
  const none = element('p', { class: 'faint none' }, 'Nothing was proposed or trained yet.')
  const node = element(
    'div',
    { class: 'view' },
    element(
      'div',
      { class: 'hero' },
      element('h1', { tabindex: '-1' }, element('span', { class: 'unseen' }, 'Learning: '), headline),
      model
    ),
    element(
      'div',
      { class: 'pair' },
      element('div', { class: 'column' }, round, learner, deltas),
      element('div', { class: 'column' }, card('Candidates', {}, candidates, none), duties)
    )
  )
  let isAsking = false

  async function refresh() {
    if (isAsking || !node.isConnected) return
    isAsking = true
    try {
      show(await client.json('/v0/learning'))
    } catch (error) {
      fail(error)
    } finally {
      isAsking = false
    }
  }

  function show(status) {
    const words = learningWords(status)
    setText(headline, words.headline)
    setAttribute(headline, 'data-tone', words.tone)
    setText(model, `Model ${status.model}`)
    showFacts(round, roundFacts(status.round))
    if (status.learner === null) showHelp()
    else showFacts(learner, learnerFacts(status.learner))
    showFacts(duties, dutyFacts(status.duties))
    showOutcomes(status.learner?.outcomes ?? [])
    showCandidates(status.candidates)
  }

  function showFacts(place, facts) {
    const [title, list] = place.children
    const names = facts.map(([name]) => name).join()
    if (list?.dataset.names !== names) {
      const made = descriptions(facts)
      made.dataset.names = names
      place.replaceChildren(title, made)
    } else for (const [at, [, value]] of facts.entries()) setText(list.querySelectorAll('dd')[at], value)
  }

  function showHelp() {
    if (learner.dataset.kind === 'help' && learner.children.length === 2) return
    learner.dataset.kind = 'help'
    const words = ['To have it learn from your texts: ', element('code', {}, 'blyan-node learn --data FOLDER')]
    learner.replaceChildren(learner.firstElementChild, element('p', { class: 'faint' }, words))
  }

  function showOutcomes(list) {
    deltas.hidden = list.length === 0
    keepList(outcomes, list.slice(-outcomesShownMax).reverse(), {
      keyOf: one => one.round,
      create: one =>
        element(
          'li',
          {},
          element('span', { class: 'dot', 'data-tone': one.accepted ? 'good' : 'bad' }),
          element('span')
        ),
      update: (row, one) => setText(row.lastElementChild, outcomeText(one))
    })
  }

  function showCandidates(list) {
    none.hidden = list.length > 0
    candidates.hidden = list.length === 0
    keepList(body, list.slice(-candidatesShownMax).reverse(), {
      keyOf: one => one.id,
      create: one =>
        element(
          'tr',
          {},
          element('th', { scope: 'row', title: `candidate ${one.id} by ${one.author}` }),
          element('td'),
          element('td')
        ),
      update: (row, one) => {
        const [from, status, loss] = row.children
        setText(from, `${one.source === 'round' ? `Round ${one.round}` : 'Proposal'}, ${clockTime(one.openedAt)}`)
        const reason = reasonText(one.reason)
        setText(status, reason === '' ? one.status : `${one.status}: ${reason}`)
        setText(loss, lossText(one))
      }
    })
  }

  return { node, title: 'Learning', update: refresh, shown: refresh }
}
