import { randomUUID } from 'node:crypto'
import type { QuoteView, TariffView } from '../../node/index.ts'
import { formatCoins } from '../amounts.ts'
import { type CommandContext, type RegisterCommand, wholeNumber } from '../context.ts'
import { type LedgerEventOptions, printLedgerEvent, submitLedgerEvent, withWaiting } from '../ledger-event.ts'
import { fields, table } from '../output.ts'

type UsageOptions = { calls: number; amount: number }

const countMax = 1_000_000_000

export const register: RegisterCommand = (command, context) => {
  command
    .command('prices')
    .summary('what metered services cost, and in which coin')
    .action(async () => {
      const { output, daemon } = context()
      const view = await (await daemon()).json<{ prices: TariffView[] }>({ path: '/v0/meter/prices' })
      await output.answer(view, () =>
        table(
          ['service', 'coin', 'a call', 'and', 'of'],
          view.prices.map(({ service, coin, callUnits, amountUnits, amountOf }) => [
            service,
            coin,
            formatCoins(callUnits, coin),
            formatCoins(amountUnits, coin),
            `each of its ${amountOf}`
          ])
        )
      )
    })
  withUsage(command.command('quote').summary('what a service would cost now')).action(
    async (service: string, usage: UsageOptions) => {
      const used = context()
      const quote = await quoteOf(used, service, usage)
      await used.output.answer(quote, () => quoteText(quote))
    }
  )
  withWaiting(
    withUsage(
      command.command('offer').summary('as a gifted node: offer a service at its price, as a hold to authorise')
    )
      .option('--payer <account>', 'who alone may authorise it; anybody unless given')
      .option('--key <key>', 'a name of yours for it: a second offer of that name is refused')
  ).action(async (service: string, options: UsageOptions & LedgerEventOptions & { payer?: string; key?: string }) => {
    const used = context()
    const { calls, amount, payer = null, key = randomUUID() } = options
    const quote = await quoteOf(used, service, options)
    const payload = {
      payer,
      coin: quote.coin,
      amount: quote.units,
      service: { kind: service, expert: null, calls, amount },
      key
    }
    const event = await submitLedgerEvent(used, 'hold-quote', payload, options)
    const { account } = await (await used.daemon()).json<{ account: string }>({ path: '/v0/account' })
    const { holdIdOf } = await import('../../ledger/index.ts')
    await printLedgerEvent(used, event, [
      ['hold', holdIdOf(account, key)],
      ['price', formatCoins(quote.units, quote.coin)]
    ])
  })
  withWaiting(
    withUsage(command.command('capture').summary('as a gifted node: charge an authorised hold for what was delivered'))
      .requiredOption('--hold <hold>', 'its id')
      .option('--milliseconds <n>', 'how long all calls took together', wholeNumber(0, 1_000_000_000_000), 0)
  ).action(
    async (service: string, options: UsageOptions & LedgerEventOptions & { hold: string; milliseconds: number }) => {
      const used = context()
      const { hold, calls, amount, milliseconds } = options
      const quote = await quoteOf(used, service, options)
      const usage = { calls, amount, responseMsTotal: milliseconds }
      const event = await submitLedgerEvent(used, 'hold-capture', { hold, amount: quote.units, usage }, options)
      await printLedgerEvent(used, event, [['captured', formatCoins(quote.units, quote.coin)]])
    }
  )
}

function withUsage(command: Parameters<RegisterCommand>[0]): Parameters<RegisterCommand>[0] {
  return command
    .argument('<service>', 'transaction, consensus, storage, cross-border or other')
    .option('--calls <n>', 'how many calls', wholeNumber(0, countMax), 1)
    .option('--amount <n>', 'KiB, seconds of computing or MiB days, by the service', wholeNumber(0, countMax), 0)
}

async function quoteOf(context: CommandContext, service: string, { calls, amount }: UsageOptions): Promise<QuoteView> {
  return (await context.daemon()).json<QuoteView>({ path: '/v0/meter/quote', query: { service, calls, amount } })
}

function quoteText(quote: QuoteView): string {
  return fields([
    ['service', `${quote.service}: ${quote.calls} calls, ${quote.amount} ${quote.amountOf}`],
    ['price', formatCoins(quote.units, quote.coin)],
    ['in the lowest tier', formatCoins(quote.aurumUnits, 'AUR')],
    ['of it to the treasury', `${quote.treasuryPpm / 10_000}%`]
  ])
}
