import { copyButton, descriptions, element, identifier } from './elements.js'
import { clockTime, count, plural, shortId, size } from './format.js'

const textShownMax = 400

/** What an event is and how far it got. */
export function eventFacts(event) {
  const { eventId, type, author, finality, refusal, sequence, prepared, committed, createdAt, payload, payloadBytes } =
    event
  return descriptions([
    [
      'Event',
      element(
        'span',
        { class: 'with-copy' },
        identifier(eventId, shortId(eventId, 12, 8)),
        copyButton(eventId, 'the id of the event')
      )
    ],
    ['What', type],
    ['From', identifier(author, shortId(author, 10, 6))],
    ['Place', sequence === null ? 'not ordered yet' : `${count(sequence)} in the final order`],
    ['Finality', refusal === null ? finality : `${finality}, refused: ${refusal}`],
    [
      'Signed by',
      `${plural(committed.length, 'validator')} (${committed.join(', ') || 'none yet'}), prepared by ${prepared.length}`
    ],
    ['Made', `${createdAt.slice(0, 10)} ${clockTime(createdAt)}`],
    ['Content', contentOf(payload, payloadBytes)]
  ])
}

function contentOf(payload, payloadBytes) {
  const text = typeof payload === 'string' ? payload : JSON.stringify(payload, undefined, 1)
  if (payload === null || text === undefined) return size(payloadBytes)
  const shown = text.length > textShownMax ? `${text.slice(0, textShownMax)}…` : text
  return element('span', { class: 'content' }, shown)
}
