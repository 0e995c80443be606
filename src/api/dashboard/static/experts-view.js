import { card, copyButton, descriptions, element, identifier, setText } from './elements.js'
import { cellName, cellTone, groupParts, walkGrid } from './expert-grid.js'
import { count, duration, percent, plural, shortId } from './format.js'

const cellsMax = 20_000
/** Layers with more parts than that get smaller cells and all of the width. */
const roomyMax = 20

/** Every part of every model, which are on this machine, and who else holds them. */
export function createExpertsView({ client, fail, showBlock }) {
  let models = []
  let model
  let chosen
  let shownText = ''
  const select = element('select', { id: 'model-shown' })
  const legend = element('p', { class: 'legend faint' })
  const summary = element('p', { class: 'lead', role: 'status' })
  const grid = element('div', { class: 'experts', role: 'grid', 'aria-label': 'Parts by layer' })
  const detail = card(
    'Part',
    { class: 'card part-card' },
    element('p', { class: 'faint' }, 'Choose a part to see what it is and who holds it.')
  )
  const holders = card(
    'Who answers',
    {},
    element('p', { class: 'faint' }, 'No other node has said that it computes with experts.')
  )
  const cards = element(
    'div',
    { class: 'beside' },
    card('Parts', {}, legend, element('div', { class: 'grid-frame' }, grid)),
    element('div', { class: 'column' }, detail, holders)
  )
  const node = element(
    'div',
    { class: 'view' },
    element('h1', { tabindex: '-1' }, 'Experts'),
    element('div', { class: 'field-row' }, element('label', { for: 'model-shown' }, 'Model'), select),
    summary,
    cards
  )
  select.addEventListener('change', () => show(select.value))
  grid.addEventListener('keydown', onKey)
  grid.addEventListener('click', event => {
    const cell = event.target.closest('[data-row]')
    if (cell !== null) choose(Number(cell.dataset.row), Number(cell.dataset.column), true)
  })

  async function refresh() {
    try {
      const { experts } = await client.json('/v0/experts')
      const text = JSON.stringify(experts)
      if (text !== shownText) {
        shownText = text
        models = groupParts(experts)
        showModels()
        show(model?.name ?? models[0]?.name)
      }
      await refreshHolders()
    } catch (error) {
      fail(error)
    }
  }

  async function refreshHolders() {
    const found = await client.json('/v0/holders').catch(() => undefined)
    if (found === undefined || found.holders.length === 0) return
    const head = element(
      'thead',
      {},
      element(
        'tr',
        {},
        ['Peer', 'Experts', 'Round trip', 'Standing'].map(name => element('th', { scope: 'col' }, name))
      )
    )
    const body = element('tbody', {}, found.holders.slice(0, 100).map(holderRow))
    holders.replaceChildren(
      holders.firstElementChild,
      element('table', {}, element('caption', { class: 'unseen' }, 'Who answers'), head, body)
    )
  }

  function showModels() {
    const names = models.map(one => one.name)
    if (names.join() === [...select.options].map(option => option.value).join()) return
    select.replaceChildren(...names.map(name => element('option', { value: name }, name)))
  }

  function show(name) {
    model = models.find(one => one.name === name) ?? models[0]
    if (model === undefined) return setText(summary, 'No model is known to this network yet.')
    select.value = model.name
    const here = model.parts.filter(part => part.local).length
    const experts = model.parts.filter(part => part.blockType === 'expert').length
    setText(
      summary,
      `${plural(model.parts.length, 'part')}, ${count(experts)} of them experts. ${here === 0 ? 'None' : here === model.parts.length ? 'All' : `${count(here)} (${percent(here / model.parts.length)})`} ${here === 1 ? 'is' : 'are'} on this machine.`
    )
    legend.replaceChildren(...legendOf(model.parts.some(part => part.holders !== null)))
    const active = /** @type {HTMLElement} */ (document.activeElement)
    const focused = grid.contains(active) ? active.dataset : undefined
    const rows = model.parts.length > cellsMax ? [] : model.rows
    const isDense = Math.max(0, ...rows.map(({ items }) => items.length)) > roomyMax
    cards.className = isDense ? 'stacked' : 'beside'
    grid.classList.toggle('dense', isDense)
    grid.replaceChildren(...rows.map(rowOf))
    if (focused !== undefined) cellAt(focused.row, focused.column)?.focus()
  }

  function rowOf({ layer, items }, row) {
    const name = layer < 0 ? 'whole model' : `layer ${layer}`
    return element(
      'div',
      { role: 'row', class: 'expert-row' },
      element('span', { role: 'rowheader', class: 'faint row-name' }, name),
      element(
        'div',
        { class: 'cells', role: 'presentation' },
        items.map((part, column) =>
          element('button', {
            type: 'button',
            role: 'gridcell',
            class: 'cell',
            'data-tone': cellTone(part),
            'data-kind': part.blockType,
            'data-row': row,
            'data-column': column,
            'aria-label': cellName(part),
            'aria-selected': String(part.name === chosen),
            title: part.part,
            tabindex: (chosen === undefined ? row === 0 && column === 0 : part.name === chosen) ? '0' : '-1'
          })
        )
      )
    )
  }

  function cellAt(row, column) {
    return grid.querySelector(`[data-row="${row}"][data-column="${column}"]`)
  }

  function choose(row, column, andFocus) {
    const part = model.rows[row].items[column]
    for (const cell of grid.querySelectorAll('[aria-selected="true"], [tabindex="0"]')) {
      cell.setAttribute('aria-selected', 'false')
      cell.tabIndex = -1
    }
    const cell = cellAt(row, column)
    cell.setAttribute('aria-selected', 'true')
    cell.tabIndex = 0
    if (andFocus) cell.focus()
    chosen = part.name
    void showPart(part)
  }

  async function showPart(part) {
    const found = await client.json(`/v0/experts/${part.name}`).catch(() => part)
    if (chosen !== part.name) return
    const block = element(
      'button',
      { type: 'button', class: 'link-button', onclick: () => showBlock(part.block) },
      shortId(part.block, 10, 6)
    )
    const tensor = element(
      'span',
      { class: 'with-copy' },
      identifier(part.tensor, shortId(part.tensor, 10, 6)),
      copyButton(part.tensor, 'the CID of the tensor')
    )
    detail.replaceChildren(
      detail.firstElementChild,
      descriptions([
        ['Name', part.name],
        ['Kind', part.blockType],
        ['Shape', part.shape.join(' × ')],
        ['Versions', count(found.versions ?? part.versions)],
        ['Block', block],
        ['Tensor', tensor],
        ['Here', part.local ? 'yes, mapped from disk when it is used' : 'no'],
        ['Held by', heldBy(found.heldBy)]
      ])
    )
  }

  function onKey(event) {
    const cell = event.target.closest('[data-row]')
    const to =
      cell === null ? undefined : walkGrid(event.key, model.rows, Number(cell.dataset.row), Number(cell.dataset.column))
    if (to === undefined) return
    event.preventDefault()
    choose(to.row, to.column, true)
  }

  return { node, title: 'Experts', update() {}, shown: refresh, tick: refresh }
}

function heldBy(holders) {
  if (!Array.isArray(holders)) return null
  if (holders.length === 0) return 'nobody else that is known'
  return holders
    .slice(0, 20)
    .map(
      ({ peerId, roundTripMs }) =>
        `${shortId(peerId, 4, 6)}${roundTripMs === null ? '' : ` (${duration(roundTripMs)})`}`
    )
    .join(', ')
}

function holderRow({ peerId, experts, roundTripMs, standing }) {
  return element(
    'tr',
    {},
    element('th', { scope: 'row' }, identifier(peerId, shortId(peerId, 4, 6))),
    element('td', {}, count(experts)),
    element('td', {}, roundTripMs === null ? '–' : duration(roundTripMs)),
    element(
      'td',
      {},
      element(
        'span',
        { class: 'badge', 'data-tone': standing === 'good' ? 'good' : standing === 'probation' ? 'warn' : 'bad' },
        standing
      )
    )
  )
}

function legendOf(knowsHolders) {
  const sample = (tone, text, kind = 'expert') =>
    element('span', {}, element('span', { class: 'cell sample', 'data-tone': tone, 'data-kind': kind }), text)
  const others = knowsHolders
    ? [sample('many', 'several others'), sample('one', 'one other'), sample('nowhere', 'nobody known')]
    : [sample('unknown', 'not here')]
  return [sample('here', 'on this machine'), ...others, sample('unknown', 'round: needed for every token', 'router')]
}
