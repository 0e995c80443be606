import { randomUUID } from 'node:crypto'
import type { Command } from 'commander'
import type { HoldView } from '../../node/index.ts'
import { formatCoins, parseCoins } from '../amounts.ts'
import { type CommandContext, type RegisterCommand, wholeNumber } from '../context.ts'
import type { DaemonClient } from '../daemon-client.ts'
import { type LedgerEventOptions, printLedgerEvent, submitLedgerEvent, withWaiting } from '../ledger-event.ts'
import { fields, printable } from '../output.ts'

export const register: RegisterCommand = (command, context) => {
  registerQuote(command, context)
  registerAuthorise(command, context)
  registerCapture(command, context)
  registerEnd(command, context, 'credit', 'pay the payee what was captured; the rest goes back to the payer')
  registerEnd(command, context, 'fail', 'give everything back: the service cannot be delivered')
  registerEnd(command, context, 'reverse', 'give everything back after the service was captured')
  command
    .command('show')
    .summary('one hold')
    .argument('<hold>', 'its id')
    .action(async (id: string) => {
      const { output, daemon } = context()
      const hold = await holdOf(await daemon(), id)
      await output.answer(hold, () => holdText(hold))
    })
  command
    .command('list')
    .summary('holds, of everybody or of one account')
    .option('--account <account>', 'payer or payee')
    .option('--status <status>', 'quoted, authorised, captured, credited, failed, reversed or expired')
    .option('--limit <n>', 'most holds', wholeNumber(1, 10_000), 100)
    .action(async (query: { account?: string; status?: string; limit: number }) => {
      const { output, daemon } = context()
      for await (const hold of (await daemon()).lines<HoldView>({ path: '/v0/holds', query }))
        await output.line(hold, () =>
          printable(`${hold.hold}  ${hold.status.padEnd(10)}  ${amountOf(hold, hold.quoted)}  ${hold.service.kind}`)
        )
    })
}

type QuoteOptions = LedgerEventOptions & {
  coin: string
  payer?: string
  service: string
  expert?: string
  calls: number
  metered: number
  key?: string
}

function registerQuote(command: Command, context: () => CommandContext): void {
  withWaiting(
    command
      .command('quote')
      .summary('as the payee: offer a service at a price')
      .argument('<amount>', 'in whole coins')
      .option('--coin <coin>', 'BLY, GEN, NEX, FLX or AUR', 'BLY')
      .option('--payer <account>', 'who alone may authorise it; anybody unless given')
      .option('--service <kind>', 'what is offered, in one short word', 'inference')
      .option('--expert <name>', 'part of the model that serves')
      .option('--calls <n>', 'how many calls it is for', wholeNumber(0, 1_000_000_000), 1)
      .option('--metered <n>', 'how much it is for of what a metered kind counts', wholeNumber(0, 1_000_000_000), 0)
      .option('--key <key>', 'a name of yours for it: a second quote of that name is refused')
  ).action(async (amount: string, options: QuoteOptions) => {
    const used = context()
    const units = parseCoins(amount)
    const { coin, payer = null, service: kind, expert = null, calls, metered, key = randomUUID() } = options
    const service = { kind, expert, calls, amount: metered }
    const quote = { payer, coin, amount: units.toString(), service, key }
    const event = await submitLedgerEvent(used, 'hold-quote', quote, options)
    const { account } = await (await used.daemon()).json<{ account: string }>({ path: '/v0/account' })
    const { holdIdOf } = await import('../../ledger/index.ts')
    const hold = holdIdOf(account, key)
    const rows = [
      ['hold', hold],
      ['price', formatCoins(units, coin)],
      ['key', key]
    ] as const
    await printLedgerEvent(used, event, rows, { hold, key })
  })
}

function registerAuthorise(command: Command, context: () => CommandContext): void {
  withWaiting(
    command
      .command('authorise')
      .summary('as the payer: have the coins held')
      .argument('<hold>', 'its id')
      .argument('<amount>', 'in whole coins, at most a tenth from the quote')
  ).action(async (hold: string, amount: string, options: LedgerEventOptions) => {
    const used = context()
    const payload = { hold, amount: parseCoins(amount).toString() }
    await printLedgerEvent(used, await submitLedgerEvent(used, 'hold-authorise', payload, options), [['hold', hold]])
  })
}

function registerCapture(command: Command, context: () => CommandContext): void {
  withWaiting(
    command
      .command('capture')
      .summary('as the payee: say that the service was delivered')
      .argument('<hold>', 'its id')
      .argument('<amount>', 'in whole coins, at most what was authorised')
      .option('--calls <n>', 'calls that were answered', wholeNumber(0, 1_000_000_000), 1)
      .option('--metered <n>', 'how much was delivered of what a metered kind counts', wholeNumber(0, 1_000_000_000), 0)
      .option('--response-ms <n>', 'time that all answers took together', wholeNumber(0, 1_000_000_000_000), 0)
  ).action(
    async (
      hold: string,
      amount: string,
      options: LedgerEventOptions & { calls: number; metered: number; responseMs: number }
    ) => {
      const used = context()
      const usage = { calls: options.calls, amount: options.metered, responseMsTotal: options.responseMs }
      const payload = { hold, amount: parseCoins(amount).toString(), usage }
      await printLedgerEvent(used, await submitLedgerEvent(used, 'hold-capture', payload, options), [['hold', hold]])
    }
  )
}

function registerEnd(
  command: Command,
  context: () => CommandContext,
  name: 'credit' | 'fail' | 'reverse',
  summary: string
): void {
  const one = command.command(name).summary(summary).argument('<hold>', 'its id')
  if (name !== 'credit') one.option('--reason <text>', 'why, for everybody to read', '')
  withWaiting(one).action(async (hold: string, options: LedgerEventOptions & { reason?: string }) => {
    const used = context()
    const payload = name === 'credit' ? { hold } : { hold, reason: options.reason ?? '' }
    await printLedgerEvent(used, await submitLedgerEvent(used, `hold-${name}`, payload, options), [['hold', hold]])
  })
}

function holdOf(daemon: DaemonClient, id: string): Promise<HoldView> {
  return daemon.json<HoldView>({ path: `/v0/holds/${encodeURIComponent(id)}` })
}

function amountOf({ coin }: HoldView, units: string): string {
  return formatCoins(units, coin)
}

function holdText(hold: HoldView): string {
  const { service, usage } = hold
  return fields([
    ['hold', hold.hold],
    ['status', hold.status],
    ['payee', hold.payee],
    ['payer', hold.payer ?? 'anybody'],
    ['quoted', amountOf(hold, hold.quoted)],
    ['authorised', hold.authorised === null ? null : amountOf(hold, hold.authorised)],
    ['captured', hold.captured === null ? null : amountOf(hold, hold.captured)],
    ['service', `${service.kind}, ${service.calls} calls${service.expert === null ? '' : ` of ${service.expert}`}`],
    ['delivered', usage === null ? null : `${usage.calls} calls in ${usage.responseMsTotal} ms`],
    ['reason', hold.reason === '' ? null : hold.reason],
    ['quoted at', hold.quotedAt],
    ['changed at', hold.changedAt],
    ['until', hold.dueAt]
  ])
}
