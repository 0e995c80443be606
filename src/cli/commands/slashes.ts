import type { Command } from 'commander'
import type { SlashView } from '../../node/index.ts'
import { formatCoins } from '../amounts.ts'
import { type CommandContext, type RegisterCommand, wholeNumber } from '../context.ts'
import { fields, table } from '../output.ts'

type ListOptions = { readonly operator?: string; readonly limit: number }
const hourMs = 3_600_000

export const register: RegisterCommand = (command, context) => {
  const withList = (one: Command): Command =>
    one
      .option('--operator <account>', 'only those of this account')
      .option('--limit <n>', 'most entries', wholeNumber(1, 4096), 100)
  withList(command).action((options: ListOptions) => list(context(), options))
  command
    .command('list')
    .summary('who was punished, for what and for how long: the newest first')
    .action((_options, chosen: Command) => list(context(), chosen.optsWithGlobals<ListOptions>()))
  command
    .command('show')
    .summary('one punishment, and its evidence for you to check')
    .argument('<id>', 'number of the punishment', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .action((id: number) => show(context(), id))
}

async function list({ output, daemon }: CommandContext, { operator, limit }: ListOptions): Promise<void> {
  const query = { limit, ...(operator === undefined ? {} : { operator }) }
  const slashes = await (await daemon()).json<SlashView[]>({ path: '/v0/slashes', query })
  await output.answer(slashes, () => (slashes.length === 0 ? 'nobody was punished' : tableOf(slashes)))
}

function tableOf(slashes: readonly SlashView[]): Promise<string> {
  return table(
    ['id', 'when', 'validator', 'offence', 'burnt', 'kept out', 'state', 'evidence'],
    slashes.map(slash => [
      slash.id,
      slash.time,
      slash.name ?? slash.operator,
      slash.offence,
      formatCoins(slash.burnt, 'BLY'),
      banOf(slash),
      slash.state,
      shortEvidence(slash)
    ])
  )
}

async function show({ output, daemon }: CommandContext, id: number): Promise<void> {
  const client = await daemon()
  const slash = await client.json<SlashView>({ path: `/v0/slashes/${id}` })
  await output.answer(slash, () =>
    fields([
      ['punishment', slash.id],
      ['operator', slash.operator],
      ['validator', slash.name],
      ['consensus key', slash.key],
      ['offence', slash.offence],
      ['in epoch', slash.epoch],
      ['punished at', slash.time],
      ['burnt', `${formatCoins(slash.burnt, 'BLY')} (${slash.penaltyPpm / 10_000}%)`],
      ['kept out', banOf(slash)],
      ['can be appealed until', slash.state === 'undone' ? null : slash.appealUntil],
      ['state', slash.state],
      ['repaid', slash.state === 'undone' ? formatCoins(slash.repaid, 'BLY') : null],
      ...evidenceRows(slash.evidence)
    ])
  )
}

function banOf({ offence, banUntil }: SlashView): string {
  if (banUntil === null) return 'for ever'
  return offence === 'downtime' ? 'until it asks to be let back in' : `until ${banUntil}`
}

function shortEvidence({ evidence }: SlashView): string {
  if (evidence.kind === 'event') return evidence.fault
  if (evidence.kind === 'absence') return `away for ${Math.floor(evidence.awayMs / hourMs)} hours`
  return `left out in ${evidence.leftOut[0]?.rounds ?? 0} of ${evidence.rounds} rounds`
}

function evidenceRows(evidence: SlashView['evidence']): [string, string | number | null][] {
  if (evidence.kind === 'event')
    return [
      ['evidence', evidence.fault],
      ['of round', evidence.round],
      ['proven by event', evidence.event],
      ['brought by', evidence.reporter],
      ['SHA-256 of the proof', evidence.digest],
      ['to check it', `blyan-node event show ${evidence.event} --json: the payload has all bytes that were signed`]
    ]
  if (evidence.kind === 'absence')
    return [
      ['not seen since', new Date(evidence.sinceMs).toISOString()],
      ['away, without standstills', `${(evidence.awayMs / hourMs).toFixed(1)} hours`],
      ['days paid for', evidence.days]
    ]
  return [
    ['counted from', new Date(evidence.sinceMs).toISOString()],
    ['until', new Date(evidence.untilMs).toISOString()],
    ['vertices looked at', evidence.rounds],
    ['it is censorship from', `${evidence.limitPpm / 10_000}%`],
    ...evidence.leftOut.map(({ operator, rounds }): [string, string] => [
      'left out',
      `${operator} in ${rounds} (${((rounds * 100) / evidence.rounds).toFixed(1)}%)`
    ])
  ]
}
