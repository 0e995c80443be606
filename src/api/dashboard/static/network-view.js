import { Activity } from './activity.js'
import { createChart } from './chart.js'
import { card, element, keepList, setAttribute, setText } from './elements.js'
import { clockTime, count, plural, rate, shortCount, shortId, size } from './format.js'
import { createMoneyCard } from './money-card.js'
import { createPeersCard, createValidatorsCard } from './people-cards.js'
import { quorumWords } from './quorum-words.js'

const eventsShownMax = 12
const transitionsShownMax = 6

/** What the network does now: whether events become final, who makes them so, what happened lately. */
export function createNetworkView({ client, showEvent }) {
  const activity = new Activity()
  const events = []
  const headline = element('span', { class: 'headline' })
  const promise = element('p', { class: 'lead' })
  const tiles = createTiles()
  const chartFrame = element('div', { class: 'chart', role: 'img', 'aria-label': 'Activity: nothing measured yet' })
  const rates = element('p', { class: 'legend faint' })
  const eventList = element('ol', { class: 'plain rows', 'aria-label': 'Newest events first' })
  const noEvents = element('p', { class: 'faint none' }, 'None yet.')
  const lately = element('ol', { class: 'plain rows' })
  const changes = card('What changed lately', {}, lately)
  const validators = createValidatorsCard()
  const peers = createPeersCard(client)
  const money = createMoneyCard(client)
  const alarms = element('ul', { class: 'alarms', 'aria-label': 'Alarms' })
  const node = element(
    'div',
    { class: 'view' },
    element(
      'div',
      { class: 'hero' },
      element('h1', { tabindex: '-1' }, element('span', { class: 'unseen' }, 'Network: '), headline),
      promise,
      createQuorumBar()
    ),
    alarms,
    tiles.node,
    card('Activity', {}, chartFrame, rates),
    element(
      'div',
      { class: 'pair' },
      element('div', { class: 'column' }, validators.node, card('Events', {}, eventList, noEvents)),
      element('div', { class: 'column' }, peers.node, money.node, changes)
    )
  )
  const bar = node.querySelector('.quorum-bar')
  let chart
  let charting
  let isDrawn = false

  function update(status) {
    const words = quorumWords(status)
    setText(headline, words.headline)
    headline.dataset.tone = words.tone
    setText(promise, status.quorum.promise)
    if (activity.latest === undefined && events.length === 0 && status.events.final > 0)
      void fetchEvents(status.events.final)
    showQuorum(bar, status.quorum)
    activity.note(Date.now(), { events: status.events.final, rounds: status.quorum.finalRound })
    showRates()
    chart?.update()
    tiles.show(status)
    validators.show(status.quorum)
    keepList(alarms, status.alarms, { keyOf: text => text, create: text => element('li', {}, text) })
    alarms.hidden = status.alarms.length === 0
    changes.hidden = status.transitions.length === 0
    keepList(lately, status.transitions.slice(-transitionsShownMax).reverse(), {
      keyOf: line => line.at + line.text,
      create: line =>
        element(
          'li',
          {},
          element('time', { class: 'faint', datetime: line.at }, clockTime(line.at)),
          element('span', {}, line.text)
        )
    })
  }

  function showRates() {
    const { latest } = activity
    const words =
      latest === undefined
        ? ['measuring …', '']
        : [`${rate(latest.eventsPerSecond)} events a second`, `${rate(latest.roundsPerSecond)} rounds a second`]
    if (rates.childElementCount === 0)
      rates.append(element('span', { class: 'key first' }), element('span', { class: 'key second' }))
    for (const [place, text] of words.entries()) setText(rates.children[place], text)
  }

  /** What happened before this page was opened. */
  async function fetchEvents(final) {
    const from = Math.max(0, final - eventsShownMax + 1)
    await client.lines(`/v0/events?from=${from}&limit=${eventsShownMax}`, addEvent).catch(() => undefined)
  }

  function addEvent(event) {
    const known = events.findIndex(one => one.eventId === event.eventId)
    if (known >= 0) events.splice(known, 1, event)
    else events.unshift(event)
    events.sort((a, b) => b.sequence - a.sequence)
    events.length = Math.min(events.length, eventsShownMax)
    if (isDrawn) return
    isDrawn = true
    requestAnimationFrame(() => {
      isDrawn = false
      noEvents.hidden = events.length > 0
      keepList(eventList, events, {
        keyOf: one => one.eventId,
        create: line => eventRow(line, showEvent),
        update: updateEventRow
      })
    })
  }

  return {
    node,
    title: 'Network',
    update,
    addEvent,
    async shown() {
      void money.refresh()
      void peers.refresh()
      charting ??= createChart(chartFrame, activity)
      chart = await charting
      chart.update()
    },
    tick() {
      void money.refresh()
      void peers.refresh()
    },
    recolour: () => chart?.recolour()
  }
}

function createTiles() {
  const names = ['Events final', 'Final round', 'Peers', 'Checkpoint', 'Parameter blocks', 'Disk']
  const tiles = names.map(name => {
    const value = element('dd', {})
    const note = element('dd', { class: 'faint' })
    return { value, note, node: element('div', { class: 'tile' }, element('dt', {}, name), value, note) }
  })
  const show = ({ events, quorum, peers, checkpoint, chains, disk, device }) => {
    const degraded = events.degraded === 0 ? '' : `, ${count(events.degraded)} degraded`
    const texts = [
      [shortCount(events.final), `${count(events.pending)} pending${degraded}`],
      [shortCount(quorum.finalRound), `of ${count(quorum.round)}, epoch ${count(quorum.epoch)}`],
      [count(peers), 'connected to this node'],
      [checkpoint.digest === null ? 'none yet' : count(checkpoint.sequence), `${plural(checkpoint.signers, 'signer')}`],
      [shortCount(chains.B.blocks), 'on chain B'],
      [
        size(disk.usedBytes),
        `${size(disk.freeBytes)} free${device.provider === 'none' ? '' : `, computes on ${device.provider}`}`
      ]
    ]
    for (const [place, [value, note]] of texts.entries()) {
      setText(tiles[place].value, value)
      setText(tiles[place].note, note)
    }
  }
  return {
    node: element(
      'dl',
      { class: 'tiles' },
      tiles.map(tile => tile.node)
    ),
    show
  }
}

/** How much of the quorum is here, and how much is needed. */
function createQuorumBar() {
  return element(
    'div',
    { class: 'quorum-bar', role: 'img' },
    element('div', { class: 'quorum-cells' }),
    element('p', { class: 'faint quorum-note' })
  )
}

function showQuorum(bar, quorum) {
  const [cells, note] = bar.children
  keepList(cells, quorum.members, {
    keyOf: member => member.id,
    create: () => element('span', { class: 'quorum-cell' }),
    update: (cell, member) => {
      cell.style.flexGrow = String(member.weight)
      cell.dataset.here = String(member.connected)
      setAttribute(cell, 'title', `${member.name}: ${member.connected ? 'here' : 'not here'}`)
    }
  })
  const text = `${count(quorum.connected)} of ${plural(quorum.validators, 'validator')} here, ${count(quorum.needed)} needed for finality`
  setText(note, text)
  setAttribute(bar, 'aria-label', text)
}

function eventRow(line, showEvent) {
  return element(
    'li',
    {},
    element(
      'button',
      { type: 'button', class: 'row-button', onclick: () => showEvent(line.eventId) },
      element('span', { class: 'number faint' }, count(line.sequence)),
      element('span', { class: 'grow' }, line.type),
      element('span', { class: 'faint mono wide-only' }, shortId(line.eventId, 0, 6)),
      element('span', { class: 'badge' })
    )
  )
}

function updateEventRow(row, line) {
  const badge = row.querySelector('.badge')
  badge.dataset.tone = line.finality === 'final' ? 'good' : 'warn'
  setText(badge, line.finality)
}
