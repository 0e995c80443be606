import { copyButton, descriptions, element, identifier } from './elements.js'
import { eventFacts } from './event-facts.js'
import { count, shortId } from './format.js'

const linksShownMax = 64

/** Everything about one block, its links as buttons that lead there. */
export function openBlockCard(card, { block, client, after, nameOf, follow }) {
  const event = element('div', { class: 'block-event' })
  card.replaceChildren(
    element('h2', { id: 'block-title' }, `Block ${count(block.index)} of chain ${block.chain_id}`),
    element(
      'div',
      { class: 'columns' },
      element(
        'div',
        {},
        descriptions([
          ['Type', block.block_type],
          ['Part', block.expert_name],
          ['CID', named(block.cid, 'the CID of the block')],
          ['Author', block.miner_pub === '' ? 'the genesis file' : named(block.miner_pub, 'the key of the author')],
          ['Payload', identifier(block.payload_hash, shortId(block.payload_hash, 10, 6))]
        ]),
        event
      ),
      element(
        'div',
        {},
        linkList('Depends on', block.depends_on),
        linkList(
          'Needed by',
          after.map(one => one.cid)
        )
      )
    )
  )
  if (block.event !== null) showEvent(event, client, block.event)

  function linkList(title, cids) {
    const items = cids
      .slice(0, linksShownMax)
      .map(cid =>
        element(
          'li',
          {},
          element(
            'button',
            { type: 'button', class: 'link-button', title: cid, onclick: () => follow(cid) },
            nameOf(cid) ?? shortId(cid, 10, 6)
          )
        )
      )
    const rest = cids.length - items.length
    return element(
      'div',
      { class: 'link-list' },
      element('h3', {}, `${title} (${count(cids.length)})`),
      items.length === 0
        ? element(
            'p',
            { class: 'faint' },
            title === 'Depends on' ? 'Nothing: it begins here.' : 'None of the blocks seen so far.'
          )
        : element('ul', { class: 'plain wrap' }, items),
      rest > 0 ? element('p', { class: 'faint' }, `and ${count(rest)} more`) : null
    )
  }
}

function named(text, what) {
  return element('span', { class: 'with-copy' }, identifier(text, shortId(text, 12, 8)), copyButton(text, what))
}

async function showEvent(place, client, id) {
  try {
    place.replaceChildren(eventFacts(await client.json(`/v0/events/${id}`)))
  } catch {
    place.replaceChildren(
      element('p', { class: 'faint' }, `Made by event ${shortId(id, 10, 6)}, which is no longer kept here.`)
    )
  }
}
