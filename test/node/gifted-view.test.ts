import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { genesisOf } from '../../src/dag/index.ts'
import { isBlyanError } from '../../src/errors/index.ts'
import { giftConsent, holdIdOf } from '../../src/ledger/index.ts'
import { configSchema } from '../../src/node/config-schema.ts'
import { pactDigest } from '../../src/node/genesis-pact.ts'
import { consentTo } from '../../src/node/gift-consent.ts'
import { giftedView, listGifted, meterPrices, meterQuote, treasuryView } from '../../src/node/views/gifted-view.ts'
import { accountOf } from '../dag/small-network.ts'
import { beat, gift, giftedWorld, heartbeatMs, periodMs } from '../ledger/gifted-world.ts'
import { economyGenesisFile, type LedgerWorld, operatorKey, rich } from '../ledger/ledger-world.ts'

function paidWorld(): { world: LedgerWorld; key: ReturnType<typeof gift> } {
  const world = giftedWorld()
  const key = gift(world, 'a', { gifter: operatorKey(0) })
  const service = { kind: 'storage', calls: 2, amount: 1000 }
  const { units, coin } = meterQuote(world.access, { service: 'storage', calls: 2, amount: 1000 })
  world.apply(key, 'hold-quote', { coin, amount: units, service, key: 'k' })
  const hold = holdIdOf(accountOf(key), 'k')
  world.apply(rich, 'hold-authorise', { hold, amount: units })
  world.apply(key, 'hold-capture', { hold, amount: units, usage: { calls: 2, amount: 1000, responseMsTotal: 1 } })
  assert.equal(world.apply(rich, 'hold-credit', { hold }), '')
  beat(world, [key], periodMs / heartbeatMs)
  return { world, key }
}

test('before the first period nothing is invented', () => {
  const world = giftedWorld()
  const { scaling, gifting, coins } = treasuryView(world.access)
  assert.deepEqual([scaling, gifting, coins.length], [null, null, 4])
  assert.deepEqual(listGifted(world.access), [])
  assert.throws(
    () => giftedView(world.access, accountOf(rich)),
    error => isBlyanError(error, 'GIFTED_UNKNOWN')
  )
})

test('a node is shown with its last payment and the prices it was made with', () => {
  const { world, key } = paidWorld()
  const view = giftedView(world.access, accountOf(key))
  assert.deepEqual([view.isOwn, view.isActive, view.payment!.period, view.period!.period], [false, true, 1, 1])
  assert.equal(view.payment!.contribution.served.NEX, '10002000')
  assert.equal(view.heartbeat, new Date(world.nowMs).toISOString())
  assert.deepEqual(
    listGifted(world.access).map(line => [line.account, line.giftedBy.account]),
    [[accountOf(key), accountOf(operatorKey(0))]]
  )
  JSON.stringify(view)
})

test('the return on gifts is income over what was issued, and can be computed again from what is shown', () => {
  const { world } = paidWorld()
  const { gifting, scaling, coins } = treasuryView(world.access)
  const multiplier = { GEN: 1000n, NEX: 100n, FLX: 10n, AUR: 1n }
  const worth = (amounts: Record<keyof typeof multiplier, string>): bigint =>
    coins.reduce((sum, { coin }) => sum + BigInt(amounts[coin]) * multiplier[coin], 0n)
  assert.equal(worth(gifting!.period.paid).toString(), gifting!.paidAurumUnits)
  assert.equal(worth(scaling!.income).toString(), gifting!.incomeAurumUnits)
  assert.ok(BigInt(gifting!.incomeAurumUnits) > 0n)
  const perPaid = (BigInt(gifting!.incomeAurumUnits) * 1_000_000n) / BigInt(gifting!.paidAurumUnits)
  assert.equal(gifting!.incomePerPaidPpm, perPaid.toString())
  assert.doesNotMatch(JSON.stringify(treasuryView(world.access)), /Infinity|NaN/)
  world.commit(20 * 24 * 3_600_000)
  world.commit(periodMs)
  const later = treasuryView(world.access).gifting!
  assert.deepEqual([later.period.nodes, later.incomePerPaidPpm], [0, null])
})

test('prices are those of the parameters, and a quote is made of them', () => {
  const world = giftedWorld({ parameters: { meterStorageCallUnits: '7', meterStorageAmountUnits: '11' } })
  const storage = meterPrices(world.access).find(({ service }) => service === 'storage')!
  assert.deepEqual([storage.coin, storage.callUnits, storage.amountUnits], ['NEX', '7', '11'])
  const quote = meterQuote(world.access, { service: 'storage', calls: 3, amount: 5 })
  assert.deepEqual([quote.units, quote.aurumUnits], ['76', '7600'])
  assert.throws(
    () => meterQuote(world.access, { service: 'inference', calls: 1, amount: 0 }),
    error => isBlyanError(error, 'METER_SERVICE_UNKNOWN')
  )
})

test('the consent that the command line signs is the one that a registration in that network needs', async t => {
  const root = mkdtempSync(join(tmpdir(), 'blyan-consent-'))
  t.after(() => rmSync(root, { recursive: true, force: true }))
  const file = { ...economyGenesisFile(), pact: await pactDigest() }
  writeFileSync(join(root, 'genesis.json'), JSON.stringify(file))
  const config = configSchema.parse(
    Object.fromEntries(Object.entries(configSchema.shape).map(([section, shape]) => [section, shape.parse({})]))
  )
  const settings = { ...config, gifted: { ...config.gifted, uptimePercent: '99.5', sharePercent: '30' } }
  const account = accountOf(operatorKey(1))
  const signed = await consentTo({ root, config: settings, gifter: rich, node: account, kind: 'miner' })
  const gift = { account, kind: 'miner' as const, uptimePpm: 995_000, sharePpm: 300_000 }
  assert.equal(signed.gifter, accountOf(rich))
  assert.equal(signed.consent, giftConsent(genesisOf(file).digest, gift, rich))
  assert.match(signed.flags, /--uptime 99\.5 --share 30 --gifted-consent [0-9a-f]{128}$/)
  await assert.rejects(consentTo({ root, config: settings, gifter: rich, node: 'me', kind: 'miner' }), error =>
    isBlyanError(error, 'ACCOUNT_INVALID')
  )
})
