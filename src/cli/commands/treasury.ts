import type { TreasuryView } from '../../node/index.ts'
import { formatCoins } from '../amounts.ts'
import type { RegisterCommand } from '../context.ts'
import { fields, table } from '../output.ts'

export const register: RegisterCommand = (command, context) => {
  command.action(async () => {
    const { output, daemon } = context()
    const view = await (await daemon()).json<TreasuryView>({ path: '/v0/treasury' })
    await output.answer(view, () => treasuryText(view))
  })
}

async function treasuryText(view: TreasuryView): Promise<string> {
  const coins = await table(
    ['coin', 'growth', 'in the treasury', 'it keeps', 'open places'],
    [
      ['BLY', '-', formatCoins(view.bly, 'BLY'), '-', '-'],
      ...view.coins.map(({ coin, growth, balance, minimum, openPlaces }) => [
        coin,
        growth,
        formatCoins(balance, coin),
        formatCoins(minimum, coin),
        openPlaces
      ])
    ]
  )
  if (view.scaling === null) return `${coins}\n\nno period is over yet: nothing was decided`
  return [coins, '', await decisionText(view, view.scaling), '', giftingText(view)].join('\n')
}

async function decisionText({ coins }: TreasuryView, scaling: NonNullable<TreasuryView['scaling']>): Promise<string> {
  const rows = coins.map(({ coin, growth }) => {
    const decision = scaling.decisions[coin]
    return [
      growth,
      `${decision.loadPpm / 10_000}%`,
      decision.activeNodes,
      decision.nodes,
      decision.strategy,
      formatCoins(decision.costUnits, coin),
      formatCoins(decision.expectedReturnUnits, coin),
      returnText(decision)
    ]
  })
  const head = `period ${scaling.period}: ${scaling.events} events in ${scaling.commits} commits; growth above ${scaling.parameters.loadPpm / 10_000}% load`
  const columns = ['growth', 'load', 'nodes', 'missing', 'decided', 'cost', 'expected return', 'return over cost']
  return `${head}\n\n${await table(columns, rows)}`
}

function returnText({ strategy, returnPpm }: NonNullable<TreasuryView['scaling']>['decisions']['GEN']): string {
  if (strategy === 'none') return '-'
  return returnPpm === null ? 'no cost' : `${Number(BigInt(returnPpm) / 100n) / 100}%`
}

function giftingText({ gifting }: TreasuryView): string {
  if (gifting === null) return 'no gifts yet'
  const { period, paidAurumUnits, incomeAurumUnits, incomePerPaidPpm } = gifting
  const perPaid =
    incomePerPaidPpm === null
      ? 'nothing was paid'
      : `${Number(BigInt(incomePerPaidPpm) / 100n) / 100}% of what was paid`
  return fields([
    ['gifted nodes paid', period.nodes],
    ['paid, new coins', `worth ${formatCoins(paidAurumUnits, 'AUR')}`],
    ['cost for the treasury', 'none'],
    ['brought in by the meter', `worth ${formatCoins(incomeAurumUnits, 'AUR')}: ${perPaid}`]
  ])
}
