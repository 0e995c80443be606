import type { AccountView } from '../../node/index.ts'
import { formatCoins } from '../amounts.ts'
import { type RegisterCommand, wholeNumber } from '../context.ts'
import { fields, printable } from '../output.ts'

type AccountLine = Pick<AccountView, 'account' | 'balances'>

export const register: RegisterCommand = (command, context) => {
  command
    .argument('[account]', "text of its public key; this node's own unless given")
    .action(async (account: string | undefined) => {
      const { output, daemon } = context()
      const view = await (await daemon()).json<AccountView>({ path: '/v0/account', query: { account } })
      await output.answer(view, () => accountText(view))
    })
  command
    .command('list')
    .summary('accounts that have coins to spend')
    .option('--limit <n>', 'most accounts', wholeNumber(1, 10_000), 100)
    .action(async (query: { limit: number }) => {
      const { output, daemon } = context()
      for await (const line of (await daemon()).lines<AccountLine>({ path: '/v0/accounts', query }))
        await output.line(line, () => printable(`${line.account}  ${shown(line.balances).join(', ')}`))
    })
}

function accountText(view: AccountView): string {
  const bly = (units: string): string | null => (units === '0' ? null : formatCoins(units, 'BLY'))
  return fields([
    ['account', `${view.account}${view.isOwn ? ' (this node)' : ''}`],
    ['free', shown(view.balances).join(', ') || 'nothing'],
    ['held', shown(view.held).join(', ') || null],
    ['staked', bly(view.staked)],
    ['unbonding', bly(view.unbonding)],
    ['earned', bly(view.earned)],
    ['frozen', view.isFrozen ? 'by a vote: nothing can be taken from it' : null]
  ])
}

function shown(balances: AccountView['balances']): string[] {
  return Object.entries(balances)
    .filter(([, units]) => units !== '0')
    .map(([coin, units]) => formatCoins(units, coin))
}
