import type { Command } from 'commander'
import { BlyanError } from '../../errors/index.ts'
import type { RunningPeriodView, SettlementView } from '../../node/index.ts'
import { formatCoins } from '../amounts.ts'
import { type CommandContext, type RegisterCommand, readInput, wholeNumber } from '../context.ts'
import { type LedgerEventOptions, printLedgerEvent, submitLedgerEvent, withWaiting } from '../ledger-event.ts'
import { expertsTable, runningText, settlementTable, settlementText } from '../rewards-text.ts'
import { fetchOperator, fetchStake } from '../stake-requests.ts'

type PeriodOptions = { readonly period?: number; readonly last?: number }
type ShowOptions = PeriodOptions & { readonly validator?: string }
type ClaimOptions = LedgerEventOptions & { readonly validator?: string }

const fileBytesMax = 64 * 1024 * 1024
const periodNumber = wholeNumber(1, Number.MAX_SAFE_INTEGER)

export const register: RegisterCommand = (command, context) => {
  // What both this command and one below it know is read by this one: below, all are looked at together.
  command
    .option('--validator <name|account|key>', "whose; this node's own validator unless given")
    .option('--period <number>', 'this period; the newest that is settled unless given', periodNumber)
    .option('--last <count>', 'a line for each of the last periods', wholeNumber(1, 64))
    .action((options: ShowOptions) => show(context(), options))
  command
    .command('now')
    .summary('the period that runs: what was counted until now')
    .option('--validator <name|account|key>', "whose; this node's own validator unless given")
    .action((_options, chosen: Command) => showRunning(context(), chosen.optsWithGlobals<ShowOptions>().validator))
  withWaiting(
    command
      .command('claim')
      .summary('pay out what your stake has earned')
      .option('--validator <name|account|key>', "earned there; with this node's own validator unless given")
  ).action((_options, chosen: Command) => claim(context(), chosen.optsWithGlobals<ClaimOptions>()))
  command
    .command('experts')
    .summary('what experts earned, and who serves them')
    .option('--period <number>', 'this period; the newest that is settled unless given', periodNumber)
    .action((_options, chosen: Command) => showExperts(context(), chosen.optsWithGlobals<PeriodOptions>()))
  withWaiting(
    command
      .command('score')
      .summary('say how well an account serves an expert, as the operator of a validator')
      .argument('<expert>', 'its name')
      .argument('<account>', 'who serves it')
      .argument('<score>', 'from 0 (useless) to 1 (as good as can be)', scorePpmOf)
  ).action((expert: string, holder: string, scorePpm: number, options: LedgerEventOptions) =>
    score(context(), { expert, holder, scorePpm }, options)
  )
  command
    .command('check')
    .summary('compute rewards again from what "rewards --json" printed, offline')
    .argument('<file>', 'what it printed; - for standard input')
    .action((file: string) => check(context(), file))
}

async function show(context: CommandContext, options: ShowOptions): Promise<void> {
  const settlements = await fetchSettlements(context, options)
  if (context.output.json) {
    for (const settlement of settlements) await context.output.line(settlement, () => '')
    return
  }
  const { operator } = await fetchOperator(context, options.validator)
  const [newest] = settlements
  if (newest === undefined) {
    context.output.note('no period is settled yet')
    return context.output.raw(`${runningText(await fetchRunning(context), operator)}\n`)
  }
  const text =
    options.last === undefined ? settlementText(newest, operator) : await settlementTable(settlements, operator)
  await context.output.raw(`${text}\n`)
}

async function showRunning(context: CommandContext, validator: string | undefined): Promise<void> {
  const running = await fetchRunning(context)
  await context.output.answer(running, async () =>
    runningText(running, (await fetchOperator(context, validator)).operator)
  )
}

async function showExperts(context: CommandContext, { period }: PeriodOptions): Promise<void> {
  const [settlement] = await fetchSettlements(context, { period })
  const experts = settlement?.experts ?? []
  await context.output.answer({ period: settlement?.period ?? null, experts }, async () => {
    if (settlement === undefined) return 'no period is settled yet'
    return `period ${settlement.period}\n${await expertsTable(settlement)}`
  })
}

async function claim(context: CommandContext, options: ClaimOptions): Promise<void> {
  const { operator, name } = await fetchOperator(context, options.validator)
  const before = (await fetchStake(context)).bonds.find(bond => bond.operator === operator)
  const event = await submitLedgerEvent(context, 'earnings-claim', { operator }, options)
  const units = BigInt(before?.earned ?? '0') + BigInt(before?.commission ?? '0')
  await printLedgerEvent(context, event, [
    ['earned with', `${name} (${operator})`],
    ['claimed', `${formatCoins(units, 'BLY')}, and what was earned since that was read`]
  ])
}

async function score(
  context: CommandContext,
  given: { readonly expert: string; readonly holder: string; readonly scorePpm: number },
  options: LedgerEventOptions
): Promise<void> {
  const event = await submitLedgerEvent(context, 'expert-score', given, options)
  await printLedgerEvent(context, event, [
    ['expert', given.expert],
    ['of', given.holder],
    ['score', `${given.scorePpm / 1_000_000}, for the period that runs`]
  ])
}

async function check(context: CommandContext, file: string): Promise<void> {
  const { recompute } = await import('../rewards-check.ts')
  const settlements = await readSettlements(file)
  const differences = settlements.flatMap(settlement => differencesOf(file, () => recompute(settlement)))
  const [first] = differences
  if (first !== undefined)
    throw new BlyanError('REWARDS_DIFFER', {
      count: differences.length,
      first: `period ${first.period}, ${first.of}, ${first.number}: said ${first.said}, computed ${first.computed}`
    })
  const rewards = settlements.reduce((count, { validators, experts }) => count + validators.length + experts.length, 0)
  await context.output.answer(
    { equal: true, periods: settlements.length, rewards },
    () => `equal: ${rewards} rewards of ${settlements.length} periods, each computed again from its own numbers`
  )
}

async function readSettlements(file: string): Promise<SettlementView[]> {
  const text = new TextDecoder().decode(await readInput(file, 'file of rewards', fileBytesMax))
  const lines = text.split('\n').filter(line => line.trim() !== '')
  if (lines.length === 0) throw invalidFile(file, 'it is empty')
  return lines.map(line => {
    try {
      return JSON.parse(line) as SettlementView
    } catch {
      throw invalidFile(file, 'a line is not JSON')
    }
  })
}

/** A file that lacks a number, or has something else in its place, is no answer of a node. */
function differencesOf<Found>(file: string, compute: () => Found): Found {
  try {
    return compute()
  } catch (error) {
    throw invalidFile(file, error instanceof Error ? error.message : 'a number is missing')
  }
}

function invalidFile(file: string, reason: string): BlyanError {
  return new BlyanError('REWARDS_FILE_INVALID', { file, reason })
}

async function fetchSettlements(context: CommandContext, options: PeriodOptions): Promise<SettlementView[]> {
  const { period, last } = options
  const query = { ...(period === undefined ? {} : { period }), ...(last === undefined ? {} : { last }) }
  const found: SettlementView[] = []
  const daemon = await context.daemon()
  for await (const settlement of daemon.lines<SettlementView>({ path: '/v0/rewards', query })) found.push(settlement)
  return found
}

async function fetchRunning(context: CommandContext): Promise<RunningPeriodView> {
  return (await context.daemon()).json<RunningPeriodView>({ path: '/v0/rewards/running' })
}

function scorePpmOf(text: string): number {
  const match = /^(0|1)(?:\.(\d{1,6}))?$/.exec(text)
  const ppm = match === null ? -1 : Number(match[1]) * 1_000_000 + Number((match[2] ?? '').padEnd(6, '0'))
  if (ppm < 0 || ppm > 1_000_000) throw new BlyanError('SCORE_OUT_OF_RANGE', { score: text.slice(0, 32) })
  return ppm
}
