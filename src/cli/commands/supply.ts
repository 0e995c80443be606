import type { SupplyView } from '../../node/index.ts'
import { formatCoins } from '../amounts.ts'
import type { RegisterCommand } from '../context.ts'
import { fields, table } from '../output.ts'

export const register: RegisterCommand = (command, context) => {
  command.action(async () => {
    const { output, daemon } = context()
    const view = await (await daemon()).json<SupplyView>({ path: '/v0/supply' })
    await output.answer(view, () => supplyText(view))
  })
}

const places = [
  ['total', 'total'],
  ['not issued', 'unissued'],
  ['burnt', 'burnt'],
  ['circulating', 'circulating'],
  ['  validation pool', 'validationPool'],
  ['  reward pool', 'rewardPool'],
  ['  treasury', 'treasury'],
  ['  staked', 'bonded'],
  ['  earned', 'earned'],
  ['  owed to experts', 'owed'],
  ['  held', 'escrow'],
  ['  free', 'accounts']
] as const

async function supplyText({ coins, issuance }: SupplyView): Promise<string> {
  const rows = places.map(([name, place]) => [name, ...coins.map(coin => formatCoins(coin[place], '').trim())])
  const whole = await table(['', ...coins.map(({ coin }) => coin)], rows)
  const issued = fields([
    ['year', `${issuance.year}, since ${issuance.since}`],
    ['most in it', formatCoins(issuance.yearMost, 'BLY')],
    ['issued', formatCoins(issuance.issued, 'BLY')],
    ['allowed now', formatCoins(issuance.allowed, 'BLY')]
  ])
  return `${whole}\n\n${issued}`
}
