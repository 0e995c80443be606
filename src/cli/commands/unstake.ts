import { BlyanError } from '../../errors/index.ts'
import type { StakeView } from '../../node/index.ts'
import { formatCoins, parseCoins } from '../amounts.ts'
import { type CommandContext, type RegisterCommand, wholeNumber } from '../context.ts'
import { type LedgerEventOptions, printLedgerEvent, submitLedgerEvent, withWaiting } from '../ledger-event.ts'
import { fields, printable, table } from '../output.ts'
import { fetchOperator, fetchStake } from '../stake-requests.ts'

type UnstakeOptions = LedgerEventOptions & { readonly validator?: string; readonly cancel?: true | number }

export const register: RegisterCommand = (command, context) => {
  withWaiting(
    command
      .argument('[amount]', 'BLY, such as 500 or 12.5; or "all"')
      .option('--validator <name|account|key>', "from whom; this node's own validator unless given")
      .option('--cancel [number]', 'stake again what is on its way out; the newest unless given', numberOfEntry)
  ).action((amount: string | undefined, options: UnstakeOptions) => run(context(), amount, options))
  command
    .command('list')
    .summary('what is staked, what it has earned, and what is on its way out')
    .action(async () => {
      const view = await fetchStake(context())
      await context().output.answer(view, () => stakeText(view))
    })
}

const numberOfEntry = wholeNumber(1, Number.MAX_SAFE_INTEGER)

function run(context: CommandContext, amount: string | undefined, options: UnstakeOptions): Promise<void> {
  if (options.cancel !== undefined) return cancel(context, options)
  if (amount === undefined)
    throw new BlyanError('USAGE', { reason: 'no amount', hint: 'give one, or "all", or use "unstake list"' })
  return unstake(context, amount, options)
}

async function unstake(context: CommandContext, amount: string, options: UnstakeOptions): Promise<void> {
  const written = amount === 'all' ? undefined : parseCoins(amount)
  const { operator, name } = await fetchOperator(context, options.validator)
  const units = (written ?? (await bondedWith(context, operator))).toString()
  const event = await submitLedgerEvent(context, 'unstake', { operator, amount: units }, options)
  const entry = options.wait ? (await fetchStake(context)).unbonding.at(-1) : undefined
  await printLedgerEvent(context, event, [
    ['taken out', `${formatCoins(units, 'BLY')} from ${name} (${operator})`],
    ['free', entry?.free ?? 'after the unbonding time'],
    ['number', entry?.number ?? null],
    ['next', 'until it is free it can be slashed, and staked again with "blyan-node unstake --cancel"']
  ])
}

async function bondedWith(context: CommandContext, operator: string): Promise<bigint> {
  const amount = (await fetchStake(context)).bonds.find(bond => bond.operator === operator)?.amount ?? '0'
  if (amount === '0') throw new BlyanError('STAKE_NONE', { operator })
  return BigInt(amount)
}

async function cancel(context: CommandContext, options: UnstakeOptions): Promise<void> {
  const { unbonding } = await fetchStake(context)
  const entry = typeof options.cancel === 'number' ? options.cancel : unbonding.at(-1)?.number
  if (entry === undefined) throw new BlyanError('UNBONDING_UNKNOWN', { number: 1 })
  const known = unbonding.find(one => one.number === entry)
  const event = await submitLedgerEvent(context, 'unstake-cancel', { entry }, options)
  await printLedgerEvent(context, event, [
    ['staked again', known === undefined ? `number ${entry}` : formatCoins(known.amount, 'BLY')],
    ['with', known === undefined ? null : `${known.name} (${known.operator})`]
  ])
}

async function stakeText(view: StakeView): Promise<string> {
  const bonds = view.bonds.map(bond => [
    printable(bond.name),
    bond.operator,
    formatCoins(bond.amount, 'BLY'),
    formatCoins(BigInt(bond.earned) + BigInt(bond.commission), 'BLY')
  ])
  const unbonding = view.unbonding.map(entry => [
    entry.number,
    printable(entry.name),
    formatCoins(entry.amount, 'BLY'),
    entry.began,
    entry.free
  ])
  return [
    fields([
      ['account', view.account],
      ['staked', formatCoins(view.total, 'BLY')]
    ]),
    await table(['validator', 'operator', 'staked', 'earned, not claimed'], bonds),
    ...(unbonding.length === 0
      ? []
      : [await table(['number', 'validator', 'on its way out', 'since', 'free'], unbonding)])
  ].join('\n\n')
}
