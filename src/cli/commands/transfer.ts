import type { EventKeyView } from '../../node/index.ts'
import { formatCoins, parseCoins } from '../amounts.ts'
import type { CommandContext, RegisterCommand } from '../context.ts'
import { DaemonError } from '../daemon-client.ts'
import { type LedgerEventOptions, printLedgerEvent, submitLedgerEvent, withWaiting } from '../ledger-event.ts'

type TransferOptions = LedgerEventOptions & { coin: string; memo: string; key: string }

export const register: RegisterCommand = (command, context) => {
  withWaiting(
    command
      .argument('<account>', 'who gets them: text of a public key')
      .argument('<amount>', 'in whole coins, such as 12.5')
      .option('--coin <coin>', 'BLY, GEN, NEX, FLX or AUR', 'BLY')
      .option('--memo <text>', 'a note for everybody to read', '')
      .option('--key <key>', 'a name for this payment: a second one of that name is refused', '')
  ).action(async (to: string, amount: string, { coin, memo, key, ...options }: TransferOptions) => {
    const used = context()
    const units = parseCoins(amount)
    const payload = { to, amount: units.toString(), coin, memo, key }
    const event = await submitLedgerEvent(used, 'transfer', payload, options).catch(error =>
      nameFirst(used, error, key)
    )
    await printLedgerEvent(used, event, [
      ['sent', formatCoins(units, coin)],
      ['to', to]
    ])
  })
}

/** Says which event was the first with that key. */
async function nameFirst({ daemon }: CommandContext, error: unknown, key: string): Promise<never> {
  if (!(error instanceof DaemonError) || error.code !== 'EVENT_KEY_USED') throw error
  const client = await daemon()
  const { account } = await client.json<{ account: string }>({ path: '/v0/account' })
  const path = `/v0/accounts/${account}/keys/${encodeURIComponent(key)}`
  const { eventId } = await client.json<EventKeyView>({ path }).catch(() => Promise.reject(error))
  throw new DaemonError({
    code: error.code,
    message: `key "${key}" was used by event ${eventId} already`,
    nextStep: `if this is the same wish, it is done: see "blyan-node event show ${eventId}"; else choose another key`
  })
}
