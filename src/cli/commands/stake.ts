import type { OperatorView, ValidatorsView } from '../../node/index.ts'
import { formatCoins, parseCoins } from '../amounts.ts'
import type { CommandContext, RegisterCommand } from '../context.ts'
import { type LedgerEventOptions, printLedgerEvent, submitLedgerEvent, withWaiting } from '../ledger-event.ts'
import { fetchOperator, fetchStake } from '../stake-requests.ts'

type StakeOptions = LedgerEventOptions & { readonly validator?: string }

export const register: RegisterCommand = (command, context) => {
  withWaiting(
    command
      .argument('<amount>', 'BLY, such as 500 or 12.5')
      .option('--validator <name|account|key>', "with whom; this node's own validator unless given")
  ).action((amount: string, options: StakeOptions) => stake(context(), amount, options))
}

async function stake(context: CommandContext, amount: string, options: StakeOptions): Promise<void> {
  const units = parseCoins(amount).toString()
  const { operator, name } = await fetchOperator(context, options.validator)
  const event = await submitLedgerEvent(context, 'stake', { operator, amount: units }, options)
  const { bonds } = await fetchStake(context)
  const bond = bonds.find(one => one.operator === operator)
  await printLedgerEvent(context, event, [
    ['staked', `${formatCoins(units, 'BLY')} with ${name} (${operator})`],
    ['yours there', options.wait ? formatCoins(bond?.amount ?? '0', 'BLY') : null],
    ['next', options.wait ? await nextText(context, operator) : 'it counts once the event is final']
  ])
}

async function nextText(context: CommandContext, operator: string): Promise<string> {
  const view = await (await context.daemon()).json<ValidatorsView>({ path: '/v0/validators' })
  const found = view.operators.find(one => one.operator === operator)
  if (found === undefined || view.stakeRules === null) return 'it earns once its operator has staked enough itself'
  return candidacyText(found, view.stakeRules.selfStakeMin)
}

function candidacyText(operator: OperatorView, selfStakeMin: string): string {
  if (operator.isMember) return 'it earns from this period on; see "blyan-node rewards"'
  if (operator.inNextSet) return 'its validator is in the next set; see "blyan-node validator list"'
  const lacks = BigInt(selfStakeMin) - BigInt(operator.selfStake)
  if (lacks > 0n && operator.isOwn) return `stake ${formatCoins(lacks, 'BLY')} more to be in the next set`
  if (lacks > 0n) return `its operator must stake ${formatCoins(lacks, 'BLY')} more itself to be in the next set`
  return 'its validator is not in the next set: see why with "blyan-node validator list"'
}
