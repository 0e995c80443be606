import { card, element, identifier, keepList, setAttribute, setText } from './elements.js'
import { count, duration, percent, shortId } from './format.js'

const rowsMax = 100

/** Who makes events final, and how they keep up. */
export function createValidatorsCard() {
  const { table, body } = createTable('Validators', ['Name', 'In time', 'Late', 'Round'])
  const show = ({ members }) =>
    keepList(body, members.slice(0, rowsMax), {
      keyOf: member => member.id,
      create: () =>
        element(
          'tr',
          {},
          element('th', { scope: 'row' }, element('span', { class: 'dot' }), element('span', {})),
          cells(3)
        ),
      update: (row, member) => {
        const [name, inTime, late, round] = row.children
        const tone = member.offences > 0 ? 'bad' : member.connected ? 'good' : 'off'
        setAttribute(name.firstElementChild, 'data-tone', tone)
        setText(
          name.lastElementChild,
          member.name + (member.offences > 0 ? ', signed twice' : member.connected ? '' : ', not here')
        )
        setAttribute(name, 'title', `${member.id} at ${member.origin}, ${member.region}`)
        setText(inTime, member.presence === null ? '–' : percent(member.presence))
        setText(late, member.connected ? duration(member.lateMs) : '–')
        setText(round, count(member.lastRound))
      }
    })
  return { node: card('Validators', {}, table), show }
}

/** Who is connected to this node. */
export function createPeersCard(client) {
  const { table, body } = createTable('Peers', ['Peer', 'Roles', 'Way', 'Round trip'])
  const none = element('p', { class: 'faint none' }, 'Nobody is connected.')
  const node = card('Peers', {}, table, none)
  async function refresh() {
    const found = await client.json('/v0/peers').catch(() => undefined)
    if (found === undefined) return
    none.hidden = found.peers.length > 0
    table.hidden = found.peers.length === 0
    keepList(body, found.peers.slice(0, rowsMax), {
      keyOf: peer => peer.peerId,
      create: peer =>
        element(
          'tr',
          {},
          element('th', { scope: 'row' }, identifier(peer.peerId, peer.validator ?? shortId(peer.peerId, 4, 6))),
          cells(3)
        ),
      update: (row, peer) => {
        const [, roles, way, roundTrip] = row.children
        setText(roles, peer.roles.join(', ') || 'follows')
        setText(way, peer.direction === 'outbound' ? 'out' : 'in')
        setText(roundTrip, peer.latencyMs === null ? '–' : duration(peer.latencyMs))
      }
    })
  }
  return { node, refresh }
}

function createTable(caption, heads) {
  const body = element('tbody')
  const table = element(
    'table',
    {},
    element('caption', { class: 'unseen' }, caption),
    element(
      'thead',
      {},
      element(
        'tr',
        {},
        heads.map(head => element('th', { scope: 'col' }, head))
      )
    ),
    body
  )
  return { table, body }
}

function cells(amount) {
  return Array.from({ length: amount }, () => element('td'))
}
