import { type NodeStatus, syncText } from '../node/index.ts'
import { coloured, fields, sizeText } from './output.ts'

type Row = readonly [string, string | number | null]
type Member = NodeStatus['quorum']['members'][number]
type Origin = NodeStatus['quorum']['origins'][number]

const membersShownMax = 32
const transitionsShown = 5

/** What a person wants to know first, from the top. */
export function statusText(status: NodeStatus): string {
  const { quorum, chains, checkpoint, sync } = status
  const colour = status.state === 'ready' ? 'green' : status.state === 'degraded' ? 'red' : 'yellow'
  const text = fields([
    ['state', status.state],
    ...status.reasons.map((reason): Row => ['', reason]),
    ['syncing', sync === null ? null : syncText(sync)],
    ['network', `${status.network}, genesis ${status.genesis}`],
    ['node', status.nodeId],
    ['account', status.account],
    ['roles', status.roles.join(', ') || 'none: follows and checks'],
    ['version', status.version],
    ['quorum', quorumText(quorum)],
    ['', quorum.promise],
    ['round', `${quorum.round}, final ${quorum.finalRound}, ${quorum.commits} commits, epoch ${quorum.epoch}`],
    ...below('validators', memberLines(quorum.members)),
    ...below(
      'can be lost',
      quorum.origins.map(origin => originText(origin, quorum))
    ),
    ['events', eventsText(status)],
    ['checkpoint', checkpoint.digest === null ? 'none yet' : `${checkpoint.sequence}, ${checkpoint.signers} signers`],
    ['chains', `A ${chains.A.height}, B ${chains.B.blocks} blocks, C ${chains.C.height}, D ${chains.D.height}`],
    ['peers', status.peers],
    ['stake', status.stake],
    ['disk', `${sizeText(status.disk.usedBytes)} used, ${sizeText(status.disk.freeBytes)} free`],
    ['device', deviceText(status.device)],
    ['', status.device.score === null ? null : status.device.why],
    ['addresses', status.addresses.join(' ') || null],
    ['data', status.dataFolder],
    ...below(
      'lately',
      status.transitions.slice(-transitionsShown).map(({ at, text: what }) => `${at}  ${what}`)
    ),
    ...below('alarms', status.alarms),
    ['next step', status.nextStep]
  ])
  return text.replace(status.state, coloured(colour, status.state))
}

function deviceText({ provider, name, score, tier }: NodeStatus['device']): string {
  return `${provider}, ${name}${score === null ? '' : `, score ${score}, tier ${tier}`}`
}

/** How a validator keeps up, in a few words. */
export function memberText(member: Member): string {
  const words = [
    member.connected ? 'connected' : 'NOT CONNECTED',
    `round ${member.lastRound}`,
    member.hasSlot ? null : 'WITHOUT SLOTS',
    member.presence === null ? null : `in time ${Math.round(member.presence * 100)}%`,
    member.lateMs === 0 ? null : `${member.lateMs} ms late`,
    member.waitedFor ? null : 'not waited for',
    member.offences === 0 ? null : `SIGNED TWICE (${member.offences})`
  ]
  return words.filter(word => word !== null).join(', ')
}

function memberLines(members: readonly Member[]): string[] {
  const width = Math.max(0, ...members.map(member => member.name.length))
  const lines = members.slice(0, membersShownMax).map(member => `${member.name.padEnd(width)}  ${memberText(member)}`)
  const rest = members.length - lines.length
  return rest > 0 ? [...lines, `and ${rest} more, see --json`] : lines
}

function originText(origin: Origin, quorum: NodeStatus['quorum']): string {
  const what = `${origin.kind} "${origin.name}" (${origin.validators.length} of ${quorum.validators} validators)`
  if (origin.stopsOrdering) return `${what}: NO, the network would stop`
  return origin.stopsFinality ? `${what}: events would go on as degraded` : `${what}: yes`
}

function quorumText(quorum: NodeStatus['quorum']): string {
  const needed =
    quorum.orderingNeeded < quorum.needed
      ? `${quorum.needed} needed for finality, ${quorum.orderingNeeded} to go on`
      : `${quorum.needed} needed`
  return `${quorum.connected} of ${quorum.validators} validators here, ${needed}`
}

function eventsText({ events }: NodeStatus): string {
  const degraded = events.degraded === 0 ? '' : `${events.degraded} degraded, `
  return `${events.final} final, ${degraded}${events.pending} pending`
}

/** Lines below each other, the first beside the name. */
function below(name: string, lines: readonly string[]): Row[] {
  return lines.map((line, place) => [place === 0 ? name : '', line])
}
