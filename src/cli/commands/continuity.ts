import { BlyanError } from '../../errors/index.ts'
import type { ContinuityView, NamedAccount } from '../../node/index.ts'
import type { RegisterCommand } from '../context.ts'
import { type LedgerEventOptions, printLedgerEvent, submitLedgerEvent, withWaiting } from '../ledger-event.ts'
import { coloured, faint, fields, strong, table } from '../output.ts'

const stageTexts = {
  owner: 'the owner does what genesis gave it',
  failover: "the owner's node has failed: elected nodes do its work",
  returning: 'the owner is back and gets its work back, one thing after the other'
} as const
const historyShown = 12

export const register: RegisterCommand = (command, context) => {
  command.action(async () => {
    const { output, daemon } = context()
    const view = await (await daemon()).json<ContinuityView>({ path: '/v0/continuity' })
    await output.answer(view, () => textOf(view))
  })
  withWaiting(
    command
      .command('vote')
      .summary('as a member of the emergency council: give a responsibility to another node')
      .argument('<responsibility>', 'core, notary or registry')
      .argument('<nominee>', 'account that shall hold it, or its name')
  ).action(async (responsibility: string, nominee: string, options: LedgerEventOptions) => {
    const view = await (await context().daemon()).json<ContinuityView>({ path: '/v0/continuity' })
    const held = view.responsibilities.find(one => one.responsibility === responsibility)
    if (held === undefined)
      throw new BlyanError('RESPONSIBILITY_UNKNOWN', {
        responsibility: responsibility.slice(0, 32),
        known: view.responsibilities.map(one => one.responsibility).join(', ')
      })
    const account = view.candidates.find(candidate => candidate.name === nominee)?.account ?? nominee
    const json = { responsibility, term: held.term, nominee: account }
    const event = await submitLedgerEvent(context(), 'council-vote', json, options)
    await printLedgerEvent(context(), event, [['voted', `${nominee} for ${responsibility}`]])
  })
}

async function textOf(view: ContinuityView): Promise<string> {
  const { council, watched, candidates, history } = view
  const healths = await table(
    ['node', 'health', 'since', 'agreed', 'observed by'],
    watched.map(({ health, since, agreed, observations, isOwner, ...node }) => [
      `${labelOf(node)}${isOwner ? ' (owner)' : ''}`,
      health,
      since,
      agreed,
      observations.map(one => `${labelOf(one)}: ${one.health}${issuesOf(one)}`).join('; ') || 'nobody yet'
    ])
  )
  const held = await table(
    ['responsibility', 'holder', 'since', 'term', 'because', 'newest record', 'votes to change it'],
    view.responsibilities.map(({ responsibility, holder, since, term, because, record, votes }) => [
      responsibility,
      labelOf(holder),
      since,
      term,
      because,
      record === null ? 'none yet' : `${record.number} at ${record.time}`,
      votes.map(({ member, nominee }) => `${labelOf(member)}: ${labelOf(nominee)}`).join('; ') || null
    ])
  )
  const past = await table(
    ['what happened', 'from', 'to', 'because', 'time'],
    history
      .slice(0, historyShown)
      .map(({ what, from, to, because, time }) => [
        what,
        from.map(labelOf).join(', ') || null,
        to.map(labelOf).join(', ') || null,
        because,
        time
      ])
  )
  const seats = council === null ? null : `${council.members.map(labelOf).join(', ')} until ${council.until}`
  const summary = fields([
    ['stage', stageTexts[view.stage]],
    ['since', view.stageSince],
    ['owner', labelOf(view.owner)],
    ['weight that must agree', view.quorumWeight],
    ['emergency council', seats ?? 'none'],
    ['can be elected', candidates.map(one => `${labelOf(one)} (${one.specialisation ?? one.kind})`).join(', ')]
  ])
  const title = coloured(view.stage === 'owner' ? 'green' : 'yellow', view.stage)
  return [
    `${strong('continuity')} ${title}`,
    summary,
    '',
    healths,
    '',
    held,
    '',
    history.length === 0 ? faint('nothing was handed over yet') : past
  ].join('\n')
}

function labelOf({ name, account }: NamedAccount): string {
  return name === null || name === '' ? account : name
}

function issuesOf({ issues, responseMs }: { issues: readonly string[]; responseMs: number | null }): string {
  if (issues.length > 0) return ` (${issues.join(', ')})`
  return responseMs === null ? '' : ` (${responseMs} ms)`
}
