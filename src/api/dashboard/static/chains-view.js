import { openBlockCard } from './block-card.js'
import { blockLabel, blockName, chainWords, shortLabel } from './block-words.js'
import { ChainPages } from './chain-pages.js'
import { blocksInSight, chainIds, dependents, linkPath, linksBetween, walk, windowAround } from './dag-window.js'
import { drawing, element, keepList, setAttribute, setText } from './elements.js'
import { count, plural } from './format.js'

const frameMarginPx = 18

/**
 * The chains as a graph to walk: four lanes of blocks, links between those in sight, one block chosen. Arrows move the
 * choice, Enter goes to its card, whose links lead on to other blocks.
 */
export function createChainsView({ client, fail }) {
  const pages = new ChainPages(client)
  const lanes = { A: [], B: [], C: [], D: [] }
  const starts = {}
  let heights = { A: 0, B: 0, C: 0, D: 0 }
  let chosen
  let latest
  const parts = Object.fromEntries(chainIds.map(chain => [chain, createLane(chain, shift)]))
  const links = drawing('svg', { class: 'links', 'aria-hidden': 'true' })
  const card = element('section', { class: 'card block-card', 'aria-labelledby': 'block-title' })
  const graph = element(
    'div',
    { class: 'graph', role: 'group', 'aria-label': 'Blocks of the chains', 'aria-describedby': 'walk-help' },
    links,
    chainIds.map(chain => parts[chain].node)
  )
  const frame = element('div', { class: 'graph-frame' }, graph)
  const node = element(
    'div',
    { class: 'view' },
    element('h1', { tabindex: '-1' }, 'Chains'),
    element(
      'p',
      { id: 'walk-help', class: 'lead' },
      'Every block is named by its content and says which blocks it depends on. Walk with the arrow keys; ',
      element('kbd', {}, 'Enter'),
      ' goes to the links of a block, ',
      element('kbd', {}, 'Esc'),
      ' back to it.'
    ),
    legend(),
    frame,
    card
  )
  graph.addEventListener('keydown', onKey)
  graph.addEventListener('click', event => {
    const button = event.target.closest('button.block')
    if (button !== null) choose(blockOf(button.dataset.cid), false)
  })
  card.addEventListener('keydown', event => {
    if (event.key === 'Escape') buttonOf(chosen)?.focus()
  })
  new ResizeObserver(drawLinks).observe(graph)

  async function update(status) {
    latest = status
    if (!node.isConnected) return
    const { A, B, C, D } = status.chains
    const before = heights
    heights = { A: A.height, B: B.blocks, C: C.height, D: D.height }
    const grown = chainIds.filter(chain => heights[chain] !== before[chain] || starts[chain] === undefined)
    // Who looks at older blocks stays there; who looks at the newest goes along.
    const followed = grown.filter(
      chain => starts[chain] === undefined || starts[chain] === windowAround(undefined, before[chain])
    )
    await Promise.all(followed.map(chain => load(chain, windowAround(undefined, heights[chain]))))
    for (const chain of chainIds) showLane(chain)
    if (chosen === undefined) {
      const newest = lanes.B.at(-1) ?? lanes.A.at(-1)
      if (newest !== undefined) choose(newest, false)
    }
  }

  async function load(chain, from) {
    starts[chain] = from
    try {
      const blocks = heights[chain] === 0 ? [] : await pages.page(chain, from, blocksInSight)
      if (starts[chain] === from) lanes[chain] = blocks
    } catch (error) {
      fail(error)
    }
    showLane(chain)
  }

  async function shift(chain, direction) {
    const from = (starts[chain] ?? 0) + (direction === 'older' ? -1 : 1) * (blocksInSight - 2)
    await load(chain, Math.max(0, Math.min(from, windowAround(undefined, heights[chain]))))
  }

  function showLane(chain) {
    parts[chain].show(lanes[chain], heights[chain])
    markChosen()
    drawLinks()
  }

  function blockOf(cid) {
    return pages.known().find(block => block.cid === cid)
  }

  function buttonOf(block) {
    return block === undefined ? null : graph.querySelector(`button.block[data-cid="${block.cid}"]`)
  }

  function choose(block, andFocus) {
    if (block === undefined) return
    chosen = block
    openBlockCard(card, {
      block,
      client,
      after: dependents(pages.known(), block.cid),
      nameOf: cid => {
        const known = blockOf(cid)
        return known === undefined ? undefined : `${known.chain_id} ${count(known.index)} · ${blockLabel(known)}`
      },
      follow
    })
    markChosen()
    drawLinks()
    showInFrame(buttonOf(block))
    if (andFocus) buttonOf(block)?.focus({ preventScroll: true })
  }

  /** Goes to a block by its CID, in sight or not. */
  async function follow(cid, andFocus = true) {
    try {
      const block = await pages.find(cid, heights)
      if (block === undefined) return fail(new Error('that block is further back than this page looks'))
      if (!lanes[block.chain_id].some(one => one.cid === cid))
        await load(block.chain_id, windowAround(block.index, heights[block.chain_id]))
      choose(block, andFocus)
    } catch (error) {
      fail(error)
    }
  }

  function markChosen() {
    const first = chainIds.flatMap(chain => lanes[chain])[0]
    const inSight = buttonOf(chosen) !== null
    for (const button of graph.querySelectorAll('button.block')) {
      const isChosen = button.dataset.cid === chosen?.cid
      setAttribute(button, 'aria-current', isChosen ? 'true' : null)
      button.tabIndex = isChosen || (!inSight && button.dataset.cid === first?.cid) ? 0 : -1
    }
  }

  async function onKey(event) {
    const button = event.target.closest('button.block')
    if (button === null) return
    if (event.key === 'Enter') {
      choose(blockOf(button.dataset.cid), false)
      event.preventDefault()
      return (card.querySelector('.link-button') ?? card.querySelector('button')).focus()
    }
    const chain = button.dataset.chain
    const place = lanes[chain].findIndex(block => block.cid === button.dataset.cid)
    const to = walk(event.key, lanes, chain, place)
    if (to === undefined) return
    event.preventDefault()
    if (to.leads !== undefined) {
      const index = lanes[chain][place].index + (to.leads === 'older' ? -1 : 1)
      if (index < 0 || index >= heights[chain]) return
      await shift(chain, to.leads)
      choose(lanes[chain].find(block => block.index === index) ?? lanes[chain][0], true)
    } else choose(lanes[to.chain][to.place], true)
  }

  /** Scrolls the frame, and the page only as far as it must. */
  function showInFrame(button) {
    if (button === null) return
    const [inner, outer] = [button.getBoundingClientRect(), frame.getBoundingClientRect()]
    if (inner.left < outer.left + frameMarginPx) frame.scrollLeft -= outer.left + frameMarginPx - inner.left
    else if (inner.right > outer.right - frameMarginPx) frame.scrollLeft += inner.right - outer.right + frameMarginPx
    if (button.contains(document.activeElement) || graph.contains(document.activeElement))
      button.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }

  function drawLinks() {
    const origin = graph.getBoundingClientRect()
    if (origin.width === 0) return
    links.setAttribute('viewBox', `0 0 ${graph.scrollWidth} ${graph.scrollHeight}`)
    links.style.width = `${graph.scrollWidth}px`
    links.style.height = `${graph.scrollHeight}px`
    const boxOf = block => {
      const { left, top, width, height } = buttonOf(block).getBoundingClientRect()
      return { x: left - origin.left, y: top - origin.top, width, height }
    }
    const shown = linksBetween(chainIds.flatMap(chain => lanes[chain])).filter(
      ({ from, to }) => buttonOf(from) !== null && buttonOf(to) !== null
    )
    const paths = shown.map(({ from, to }) => {
      const kind = from.cid === chosen?.cid ? 'link needs' : to.cid === chosen?.cid ? 'link needed-by' : 'link'
      return drawing('path', { class: kind, d: linkPath(boxOf(from), boxOf(to), from.chain_id === to.chain_id) })
    })
    paths.sort((a, b) => a.classList.length - b.classList.length)
    links.replaceChildren(...paths)
  }

  const shown = () => (latest === undefined ? undefined : update(latest))
  return { node, title: 'Chains', update, follow, shown }
}

function createLane(chain, shift) {
  const range = element('span', { class: 'faint' })
  const older = element(
    'button',
    { type: 'button', class: 'quiet small', 'aria-label': `Older blocks of chain ${chain}` },
    '← Older'
  )
  const newer = element(
    'button',
    { type: 'button', class: 'quiet small', 'aria-label': `Newer blocks of chain ${chain}` },
    'Newer →'
  )
  older.addEventListener('click', () => shift(chain, 'older'))
  newer.addEventListener('click', () => shift(chain, 'newer'))
  const list = element('ol', { class: 'lane-blocks', 'aria-labelledby': `lane-${chain}` })
  const none = element('p', { class: 'faint none' }, `No blocks yet: ${chainWords[chain].what}.`)
  const node = element(
    'section',
    { class: 'lane', 'data-chain': chain, 'aria-labelledby': `lane-${chain}` },
    element(
      'div',
      { class: 'lane-head' },
      element(
        'h2',
        { id: `lane-${chain}` },
        element('span', { class: 'letter' }, chain),
        ` ${chainWords[chain].title}`
      ),
      range,
      element('span', { class: 'pager' }, older, newer)
    ),
    list,
    none
  )
  const show = (blocks, height) => {
    const [first, last] = [blocks[0], blocks.at(-1)]
    const isWhole = blocks.length >= height
    setText(
      range,
      height === 0
        ? ''
        : isWhole || first === undefined
          ? plural(height, 'block')
          : `${count(first.index)}–${count(last.index)} of ${plural(height, 'block')}`
    )
    older.disabled = first === undefined || first.index === 0
    newer.disabled = last === undefined || last.index >= height - 1
    for (const button of [older, newer]) button.hidden = isWhole
    none.hidden = blocks.length > 0
    list.hidden = blocks.length === 0
    keepList(list, blocks, { keyOf: block => block.cid, create: createBlock })
  }
  return { node, show }
}

function createBlock(block) {
  const button = element(
    'button',
    {
      type: 'button',
      class: 'block',
      'data-cid': block.cid,
      'data-chain': block.chain_id,
      'aria-label': blockName(block),
      title: blockLabel(block),
      tabindex: '-1'
    },
    element('span', { class: 'block-number' }, count(block.index)),
    element('span', { class: 'block-label' }, shortLabel(block))
  )
  return element('li', {}, button)
}

function legend() {
  const sample = kind =>
    drawing(
      'svg',
      { class: 'sample', viewBox: '0 0 28 8', 'aria-hidden': 'true' },
      drawing('path', { class: `link ${kind}`, d: 'M0 4H28' })
    )
  return element(
    'p',
    { class: 'legend faint' },
    element('span', {}, sample('needs'), 'what the chosen block depends on'),
    element('span', {}, sample('needed-by'), 'what depends on it')
  )
}
