/** The state of the network in one sentence, and how serious it is. Pure. */
export function quorumWords({ state, quorum, sync }) {
  if (state === 'syncing' || sync !== null) return { headline: 'Catching up with the network', tone: 'warn' }
  if (state === 'locked') return { headline: 'The keys of this node are locked', tone: 'warn' }
  if (state === 'starting') return { headline: 'Starting', tone: 'warn' }
  if (state === 'stopping') return { headline: 'Stopping', tone: 'warn' }
  switch (quorum.mode) {
    case 'final':
      return quorum.missing.length === 0
        ? { headline: 'All validators are here. Events become final.', tone: 'good' }
        : { headline: `Events become final, without ${namesText(quorum.missing)}.`, tone: 'warn' }
    case 'degraded':
      return { headline: `Events are ordered but not final: ${namesText(quorum.missing)} missing.`, tone: 'warn' }
    default:
      return { headline: `Nothing is ordered: ${namesText(quorum.missing)} missing.`, tone: 'bad' }
  }
}

/** Colour of a node's state. */
export function toneOf(state) {
  return state === 'ready' ? 'good' : state === 'degraded' ? 'bad' : 'warn'
}

const namesShownMax = 3

function namesText(names) {
  if (names.length === 0) return 'validators'
  const shown = names.slice(0, namesShownMax).join(', ')
  return names.length > namesShownMax ? `${shown} and ${names.length - namesShownMax} more` : shown
}
