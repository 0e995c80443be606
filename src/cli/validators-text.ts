import type { OperatorView, ValidatorsView } from '../node/index.ts'
import { formatCoins } from './amounts.ts'
import { fields, printable, table } from './output.ts'

/** What `validator list` prints. */
export async function validatorsText(view: ValidatorsView): Promise<string> {
  const total = view.members.reduce((sum, member) => sum + member.weight, 0)
  const rules = view.stakeRules
  const heavy = view.operators.filter(operator => operator.hasThird).map(operator => printable(operator.name))
  return [
    rules === null ? await approvedTable(view) : await stakedTable(view),
    fields([
      ['epoch', `${view.epoch}, since ${view.since}; ${view.quorumWeight} of ${total} make a quorum`],
      ['ends with', view.closesAt === null ? null : `commit ${view.closesAt}`],
      ['next set', view.next === null ? null : view.next.map(printable).join(', ')],
      ['weights', rules === null ? null : rules.weights === 'equal' ? 'one vote each' : 'by stake'],
      ['least own stake', rules === null ? null : formatCoins(rules.selfStakeMin, 'BLY')],
      ['staked in all', rules === null ? null : formatCoins(rules.totalBonded, 'BLY')],
      ['warning', heavy.length === 0 ? null : `${heavy.join(', ')} alone has more than a third of the weight`]
    ])
  ].join('\n\n')
}

/** What `validator show` prints. */
export function operatorText(operator: OperatorView): string {
  return fields([
    ['name', printable(operator.name)],
    ['operator', operator.operator],
    ['key', operator.key],
    ['peer id', operator.peerId],
    ['website', operator.website === '' ? null : operator.website],
    ['origin', operator.origin],
    ['region', operator.region],
    ['state', stateText(operator)],
    ['in the set', operator.isMember ? `yes, with weight ${operator.weight}` : 'no'],
    ['next set', operator.inNextSet ? 'yes' : 'no'],
    ['stake', formatCoins(operator.stake, 'BLY')],
    ['own stake', formatCoins(operator.selfStake, 'BLY')],
    ['commission', percent(operator.commissionBasisPoints)],
    ['there this period', operator.presentPpm === null ? null : percent(operator.presentPpm / 100)],
    ['warning', operator.hasThird ? 'it alone has more than a third of the weight' : null]
  ])
}

function stakedTable(view: ValidatorsView): Promise<string> {
  const rows = view.operators.map(operator => [
    printable(operator.name),
    operator.operator,
    formatCoins(operator.stake, 'BLY'),
    formatCoins(operator.selfStake, 'BLY'),
    percent(operator.commissionBasisPoints),
    stateText(operator),
    operator.weight,
    operator.presentPpm === null ? null : percent(operator.presentPpm / 100),
    nextText(operator)
  ])
  const head = ['name', 'operator', 'stake', 'own', 'commission', 'state', 'weight', 'there', 'next set']
  return table(head, rows)
}

function stateText({ state, status, jailedUntil, jailReason, unbonded }: OperatorView): string {
  const why = jailReason === null ? '' : `: ${printable(jailReason)}`
  if (state === 'tombstoned') return `tombstoned${why}`
  if (state === 'jailed') return `jailed until ${jailedUntil}${why}`
  return status === 'unbonding' && unbonded !== null ? `unbonding until ${unbonded}` : state
}

function nextText(operator: OperatorView): string | null {
  if (operator.isMember) return operator.inNextSet ? 'stays' : 'leaves'
  return operator.inNextSet ? 'joins' : null
}

async function approvedTable(view: ValidatorsView): Promise<string> {
  const members = view.members.map(member => [
    printable(member.name),
    member.key,
    printable(member.origin),
    printable(member.region),
    member.weight,
    [
      ...(member.leaves ? ['leaves'] : []),
      ...(member.newKey === null ? [] : [`new key ${member.newKey}`]),
      ...(member.removal.length === 0 ? [] : [`removal: ${member.removal.map(printable).join(', ')}`])
    ].join('; ')
  ])
  const candidates = view.candidates.map(candidate => [
    printable(candidate.name),
    candidate.key,
    printable(candidate.origin),
    printable(candidate.region),
    candidate.isApproved ? 'joins' : 'candidate',
    `approved: ${candidate.approvals.map(printable).join(', ') || 'nobody'}`
  ])
  return table(['name', 'key', 'origin', 'region', 'weight', 'change'], [...members, ...candidates])
}

function percent(basisPoints: number): string {
  return `${Number((basisPoints / 100).toFixed(2))}%`
}
