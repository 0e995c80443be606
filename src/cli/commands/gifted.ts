import { Option } from 'commander'
import type { GiftedLine, GiftedView } from '../../node/index.ts'
import { formatCoins } from '../amounts.ts'
import type { RegisterCommand } from '../context.ts'
import type { ConsentOptions } from '../gift-consent.ts'
import { type LedgerEventOptions, printLedgerEvent, submitLedgerEvent, withWaiting } from '../ledger-event.ts'
import { fields, sizeText, table } from '../output.ts'

export const register: RegisterCommand = (command, context) => {
  command
    .command('list')
    .summary('all gifted nodes')
    .action(async () => {
      const { output, daemon } = context()
      const view = await (await daemon()).json<{ nodes: GiftedLine[] }>({ path: '/v0/gifted' })
      await output.answer(view, () => listText(view.nodes))
    })
  command
    .command('show')
    .summary('one gifted node, and how its last payment came about')
    .argument('[account]', "its account; this node's own unless given")
    .action(async (account: string | undefined) => {
      const { output, daemon } = context()
      const client = await daemon()
      const own = account ?? (await client.json<{ account: string }>({ path: '/v0/account' })).account
      const view = await client.json<GiftedView>({ path: `/v0/gifted/${own}` })
      await output.answer(view, () => viewText(view))
    })
  withWaiting(
    command
      .command('retire')
      .summary('take a gifted node off the list; its deposit goes back to it')
      .argument('[account]', "its account, where you gave it; this node's own unless given")
  ).action(async (account: string | undefined, options: LedgerEventOptions) => {
    const used = context()
    const own = account ?? (await (await used.daemon()).json<{ account: string }>({ path: '/v0/account' })).account
    const event = await submitLedgerEvent(used, 'gifted-retire', { account: own }, options)
    await printLedgerEvent(used, event, [['retired', own]])
  })
  command
    .command('consent')
    .summary('as the gifter: sign that you give a node that has an account of its own')
    .argument('<account>', 'account of the node')
    .addOption(
      new Option('--kind <kind>', 'as what you give it').choices(['miner', 'deployer', 'validator']).default('miner')
    )
    .option('--uptime <percent>', 'uptime that the node promises', '99')
    .option('--share <percent>', 'your share of its incentives', '0')
    .action(async (account: string, options: ConsentOptions) => {
      const { signConsent } = await import('../gift-consent.ts')
      await signConsent(context(), account, options)
    })
}

function listText(nodes: readonly GiftedLine[]): Promise<string> {
  return table(
    ['node', 'account', 'for', 'given by', 'state', 'uptime promised', "gifter's share", 'last heartbeat'],
    nodes.map(node => [
      `${node.name}${node.isOwn ? ' (this node)' : ''}`,
      node.account,
      node.specialisation,
      node.giftedBy.kind,
      node.isActive ? 'serves' : 'silent',
      percent(node.uptimePpm),
      percent(node.sharePpm),
      node.heartbeat
    ])
  )
}

async function viewText(view: GiftedView): Promise<string> {
  const { measured, claimed, payment, giftedBy, bonus, grant } = view
  const head = fields([
    ['account', `${view.account}${view.isOwn ? ' (this node)' : ''}`],
    ['peer id', view.peerId],
    ['state', view.isActive ? 'serves' : 'silent: no heartbeat in time'],
    ['given by', `${giftedBy.kind} ${giftedBy.account}`],
    [
      'for',
      `${view.specialisation} (${Object.entries(view.capacities)
        .map(entry => entry.join(' '))
        .join(', ')})`
    ],
    ['promises', `${percent(view.uptimePpm)} uptime, ${percent(view.sharePpm)} of the incentives for the gifter`],
    ['registered', view.registered],
    ['heartbeat', view.heartbeat],
    ['deposit', formatCoins(view.depositUnits, 'BLY')],
    ['bonus', bonus === null ? null : `${percent(bonus.ppm)} until ${new Date(bonus.untilMs).toISOString()}`],
    [
      'grant',
      grant === null ? null : `${formatCoins(grant.units, grant.coin)} at ${new Date(grant.dueMs).toISOString()}`
    ]
  ])
  const machine = await table(
    ['', 'claimed', 'measured'],
    [
      ['cores', claimed.cores, measured.cores],
      ['million operations a second', claimed.megaflops, measured.megaflops],
      ['memory', sizeText(claimed.memoryBytes), sizeText(measured.memoryBytes)],
      ['disk free', sizeText(claimed.diskFreeBytes), sizeText(measured.diskFreeBytes)],
      ['disk written a second', sizeText(claimed.diskWriteBytesPerSecond), sizeText(measured.diskWriteBytesPerSecond)],
      ['peers', claimed.peers, measured.peers],
      ['round trip, ms', claimed.roundTripMs, measured.roundTripMs]
    ]
  )
  return [head, '', machine, '', payment === null ? 'no period is paid yet' : await paymentText(view, payment)].join(
    '\n'
  )
}

async function paymentText(view: GiftedView, payment: NonNullable<GiftedView['payment']>): Promise<string> {
  const { contribution, points, value, wanted, paid, forGifter } = payment
  const coins = ['GEN', 'NEX', 'FLX', 'AUR'] as const
  const facts = fields([
    ['period', payment.period],
    ['uptime', `${percent(contribution.uptimePpm)} by ${payment.judgedBy}, counts as ${percent(payment.factorPpm)}`],
    ['time', `${contribution.spanMs} of ${contribution.lengthMs} ms`],
    ['a point', view.period === null ? null : formatCoins(view.period.pointUnits, 'AUR')]
  ])
  const rows = await table(
    ['coin', 'points', 'served', 'value in AUR', 'earned', 'paid', 'of it to the gifter'],
    coins.map(coin => [
      coin,
      points[coin],
      formatCoins(contribution.served[coin], coin),
      formatCoins(value[coin], 'AUR'),
      formatCoins(wanted[coin], coin),
      formatCoins(paid[coin], coin),
      formatCoins(forGifter[coin], coin)
    ])
  )
  return `${facts}\n\n${rows}`
}

function percent(ppm: number): string {
  return `${ppm / 10_000}%`
}
