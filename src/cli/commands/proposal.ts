import type { Command } from 'commander'
import { BlyanError } from '../../errors/index.ts'
import type { ProposalLine, ProposalView } from '../../node/index.ts'
import { formatCoins, parseCoins } from '../amounts.ts'
import { type CommandContext, type RegisterCommand, wholeNumber } from '../context.ts'
import { type LedgerEventOptions, printLedgerEvent, submitLedgerEvent, withWaiting } from '../ledger-event.ts'
import { fields, table } from '../output.ts'
import { formatParameter } from '../parameter-text.ts'
import {
  type EmergencyOptions,
  emergencyAction,
  emergencyDurationMs,
  parameterChanges,
  readProposalFile
} from '../proposal-inputs.ts'

type Asked = LedgerEventOptions & { readonly title: string; readonly text: string }
const proposalId = wholeNumber(1, 999_999_999)

export const register: RegisterCommand = (command, context) => {
  registerNew(command, context)
  command
    .command('list')
    .summary('what is voted on or in force, then the newest that are over')
    .option('--mine', "only those of this node's account")
    .action(async ({ mine = false }: { mine?: boolean }) => {
      const { output, daemon } = context()
      const lines = await (await daemon()).json<ProposalLine[]>({ path: '/v0/proposals', query: { mine } })
      await output.answer(lines, () => listOf(lines))
    })
  command
    .command('show')
    .summary('what it asks for, its rule, its votes and how they stand')
    .argument('<id>', 'number of the proposal', proposalId)
    .action(async (id: number) => {
      const { output, daemon } = context()
      const proposal = await (await daemon()).json<ProposalView>({ path: `/v0/proposals/${id}` })
      await output.answer(proposal, () => textOf(proposal))
    })
  withWaiting(
    command
      .command('vote')
      .summary('vote yes, no or abstain, once')
      .argument('<id>', 'number of the proposal', proposalId)
      .argument('<vote>', 'yes, no or abstain', voteOf)
  ).action(async (proposal: number, vote: string, options: LedgerEventOptions) => {
    const event = await submitLedgerEvent(context(), 'proposal-vote', { proposal, vote }, options)
    await printLedgerEvent(context(), event, [['voted', `${vote} on proposal ${proposal}`]])
  })
  withWaiting(
    command
      .command('withdraw')
      .summary('take an own proposal back, or the support of an emergency in force')
      .argument('<id>', 'number of the proposal', proposalId)
  ).action(async (proposal: number, options: LedgerEventOptions) => {
    const event = await submitLedgerEvent(context(), 'proposal-withdraw', { proposal }, options)
    await printLedgerEvent(context(), event, [['withdrawn', `proposal ${proposal}`]])
  })
}

function registerNew(command: Command, context: () => CommandContext): void {
  const made = command.command('new').summary('put something to a vote, with a deposit')
  const kind = (name: string, summary: string): Command =>
    withWaiting(made.command(name).summary(summary))
      .requiredOption('--title <text>', 'what it is, in one line')
      .option('--text <text>', 'why', '')
  const propose = async (json: object, { title, text, ...options }: Asked): Promise<void> =>
    submit(context(), { ...json, title, text }, options)

  kind('parameters', 'change parameters, such as unbondingMs=21d feeUnits=0.002')
    .argument('<changes...>', 'NAME=VALUE, as "blyan-node parameters" shows them')
    .action((texts: string[], options: Asked) =>
      propose({ kind: 'parameters', changes: parameterChanges(texts) }, options)
    )
  kind('payment', 'pay from the treasury')
    .argument('<to>', 'account that is paid')
    .argument('<amount>', 'in whole coins')
    .option('--coin <coin>', 'BLY, GEN, NEX, FLX or AUR', 'BLY')
    .action((to: string, amount: string, { coin, ...options }: Asked & { coin: string }) =>
      propose({ kind: 'payment', to, coin, amount: parseCoins(amount).toString() }, options)
    )
  kind('appeal', 'ask for a punishment of this operator to be undone')
    .argument('<punishment>', 'its id, as "blyan-node slashes" shows it')
    .action((punishment: string, options: Asked) => propose({ kind: 'appeal', punishment }, options))
  kind('text', 'ask for an opinion; nothing is done').action((options: Asked) => propose({ kind: 'text' }, options))
  kind('emergency', 'act against a danger, by the votes of validators')
    .argument('<emergency>', 'security_breach, consensus_failure or economic_attack')
    .argument('<action>', 'what to do; docs/operators.md, "Emergencies"')
    .option('--duration <time>', 'of a pause, a freeze, an exclusion, lower rewards; such as 2h')
    .option('--operator <accounts...>', 'update_validator_set: operators that are taken out')
    .option('--account <accounts...>', 'freeze_accounts: accounts that pay nothing')
    .option('--amount <coins>', 'adjust_rewards, emergency_mint')
    .option('--entry <entries...>', 'rollback: FROM:TO:AMOUNT:COIN, taken from FROM')
    .action((emergency: string, name: string, given: Asked & EmergencyOptions) => {
      const { title, text, wait, timeout } = given
      const action = emergencyAction(name, given)
      const json = { kind: 'emergency', emergency, action, durationMs: emergencyDurationMs(given) }
      return propose(json, { title, text, wait, timeout })
    })
  withWaiting(made.command('file').summary('a proposal written as JSON').argument('<file>', 'file, or -')).action(
    async (file: string, options: LedgerEventOptions) => submit(context(), await readProposalFile(file), options)
  )
}

/** Submits it, and says which number it got once it is executed. */
async function submit(context: CommandContext, json: unknown, options: LedgerEventOptions): Promise<void> {
  const event = await submitLedgerEvent(context, 'proposal-new', json, options)
  if (event.finality === 'pending') return printLedgerEvent(context, event)
  const query = { mine: true }
  const [newest] = await (await context.daemon()).json<ProposalLine[]>({ path: '/v0/proposals', query })
  if (newest === undefined) return printLedgerEvent(context, event)
  await context.output.answer({ ...event, proposal: newest.id, closesAt: newest.closesAt }, () =>
    fields([
      ['proposal', newest.id],
      ['voted on until', newest.closesAt],
      ['event', event.eventId],
      ['finality', event.finality],
      ['vote with', `blyan-node proposal vote ${newest.id} yes`]
    ])
  )
}

function listOf(lines: readonly ProposalLine[]): Promise<string> {
  return table(
    ['id', 'kind', 'title', 'status', 'votes', 'until'],
    lines.map(({ id, voteClass, kind, title, status, voters, closesAt, decidedAt, endsAt, failure }) => [
      id,
      kind === 'emergency' ? voteClass : kind,
      title,
      failure === null ? status : `${status}: ${failure}`,
      status === 'open' || status === 'in-force' ? voters : null,
      endsAt ?? decidedAt ?? closesAt
    ])
  )
}

function textOf(proposal: ProposalView): string {
  const { id, title, kind, status, failure, proposer, openedAt, closesAt, decidedAt, endsAt, deposit } = proposal
  return fields([
    ['proposal', id],
    ['title', title],
    ['kind', kind],
    ['status', failure === null ? status : `${status}: ${failure}`],
    ['asks for', askedOf(proposal)],
    ['text', proposal.content.text === '' ? null : proposal.content.text],
    ['proposer', proposer],
    ['deposit', formatCoins(deposit, 'BLY')],
    ['opened', openedAt],
    ['closes', closesAt],
    ['decided', decidedAt],
    ['ends', endsAt],
    ['rule', ruleText(proposal)],
    ['votes', tallyText(proposal)],
    ['as it stands', proposal.outcomeNow],
    [
      'voters',
      proposal.votes.length === 0 ? null : proposal.votes.map(({ account, vote }) => `${account} ${vote}`).join(', ')
    ]
  ])
}

function askedOf({ content }: ProposalView): string {
  const { title: _title, text: _text, kind, ...rest } = content as Record<string, unknown> & ProposalView['content']
  if (content.kind === 'parameters')
    return content.changes.map(({ name, value }) => `${name} = ${formatParameter(name, value)}`).join(', ')
  if (content.kind === 'payment') return `${formatCoins(content.amount, content.coin)} to ${content.to}`
  return kind === 'text' ? 'an opinion' : JSON.stringify(rest)
}

function ruleText({ rule, voteClass }: ProposalView): string {
  if (rule.validatorsNeeded !== null)
    return `${voteClass}: ${rule.validatorsNeeded} validators for it (${rule.threshold} of the set)`
  const quorum = formatParameter('quorumPpm', String(rule.quorumPpm))
  const [numerator, denominator] = rule.threshold.split('/').map(Number) as [number, number]
  const threshold = `${rule.isMoreThan ? 'more than' : 'at least'} ${(100 * numerator) / denominator}%`
  return `by ${rule.ballot}: ${quorum} must vote, ${threshold} of those for and against must be for it`
}

function tallyText({ rule, tally }: ProposalView): string {
  const shown = (value: string): string => (rule.ballot === 'stake' ? formatCoins(value, 'BLY') : value)
  return `${shown(tally.yes)} yes, ${shown(tally.no)} no, ${shown(tally.abstain)} abstain, of ${shown(tally.all)}`
}

function voteOf(text: string): string {
  if (['yes', 'no', 'abstain'].includes(text)) return text
  throw new BlyanError('USAGE', { reason: `"${text.slice(0, 40)}" is no vote`, hint: 'vote yes, no or abstain' })
}
