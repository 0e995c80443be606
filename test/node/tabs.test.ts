import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { SigningKey } from '../../src/codec/index.ts'
import { BlyanError } from '../../src/errors/index.ts'
import { holdIdOf, readHold } from '../../src/ledger/index.ts'
import type { AnswerReport } from '../../src/node/index.ts'
import { createPayeeTabs } from '../../src/node/tabs/payee-tabs.ts'
import { createPayerTabs } from '../../src/node/tabs/payer-tabs.ts'
import { createTabLedger } from '../../src/node/tabs/tab-ledger.ts'
import { createTabService, type TabService } from '../../src/node/tabs/tab-service.ts'
import { decodeTabAnswer, decodeTabRequest, encodeTabAnswer, encodeTabRequest } from '../../src/node/tabs/tab-wire.ts'
import { accountOf } from '../dag/small-network.ts'
import { bly, LedgerWorld, operatorKey, poor, rich } from '../ledger/ledger-world.ts'

const minuteMs = 60_000
/** 0.001 BLY for 1000 rows, in tabs of 1 BLY. */
const price = bly / 1000n
const silent = { info: () => {}, warn: () => {}, debug: () => {} }

type Party = { readonly peerId: string; readonly key: SigningKey; readonly tabs: TabService }
type Serve = (peerId: string, request: Uint8Array) => Promise<Uint8Array>

/** Two nodes over the real ledger, with a wire between them that a test can cut. */
function world(options: { holderPrice?: bigint; tabUnits?: bigint; payer?: SigningKey } = {}) {
  const ledger = new LedgerWorld()
  const served = new Map<string, Serve>()
  const wire = { isCut: false }
  const warnings: string[] = []
  const party = (peerId: string, key: SigningKey, priceUnitsPer1000Rows: bigint): Party => {
    const network = {
      serve: (_protocol: string, handler: Serve) => void served.set(peerId, handler),
      request: async (to: string, protocol: string, request: Uint8Array) => {
        const handler = served.get(to)
        if (wire.isCut || handler === undefined) throw new BlyanError('PEER_REQUEST_FAILED', { peerId: to, protocol })
        return handler(peerId, request)
      }
    }
    const events = {
      submit: async (request: { type: string; payload: Uint8Array }) => {
        const code = ledger.applyPayload(key, request.type, request.payload)
        if (code !== '') throw new BlyanError('EVENT_REFUSED', { code })
        return {} as never
      }
    }
    const tabs = createTabService({
      network,
      ledger: createTabLedger({
        chains: {
          get state() {
            return ledger.state
          }
        },
        handlers: ledger.handlers,
        events: events as never,
        signal: new AbortController().signal
      }),
      account: accountOf(key),
      priceUnitsPer1000Rows,
      tabUnits: options.tabUnits ?? bly,
      session: peerId,
      nowMs: () => ledger.nowMs,
      logger: { ...silent, warn: (_fields: object, text: string) => void warnings.push(text) } as never
    })
    return { peerId, key, tabs }
  }
  const gateway = party('gateway', options.payer ?? rich, 0n)
  const holder = party('holder', operatorKey(1), options.holderPrice ?? price)
  /** Rows that the holder computed, as both of them count them. */
  const compute = (rows: number, claimed = rows): void => {
    holder.tabs.onServed('gateway', { rows, elapsedMs: rows / 10 })
    gateway.tabs.noteAnswer(
      report([{ peerId: 'holder', account: accountOf(holder.key), rows: claimed, costUnits: costOf(claimed) }])
    )
  }
  const costOf = (rows: number): string => ((BigInt(rows) * price) / 1000n).toString()
  return { ledger, gateway, holder, compute, wire, warnings, served }
}

function report(
  holders: readonly { peerId: string; account: string | null; rows: number; costUnits: string }[]
): AnswerReport {
  return {
    promptTokens: 1,
    tokens: 1,
    elapsedMs: 1,
    firstTokenMs: 1,
    tokensPerSecond: 0,
    predictedTokensPerSecond: null,
    holders: holders.map(holder => ({ ...holder, calls: 1 })),
    costUnits: '0',
    coin: 'BLY'
  }
}

test('many answers are paid by one tab: coins put aside once, and of them exactly what was computed', async () => {
  const { ledger, gateway, holder, compute } = world()
  const before = [ledger.balance(rich), ledger.balance(holder.key)] as const
  compute(1000)
  await gateway.tabs.turn()
  const { hold } = gateway.tabs.view().pays[0]!
  assert.equal(readHold(ledger.state, hold!)?.status, 'authorised')
  for (let answer = 0; answer < 10; answer++) {
    compute(4000)
    await gateway.tabs.turn()
  }
  assert.equal(gateway.tabs.view().pays[0]!.hold, hold, 'still the same tab')
  ledger.nowMs += 21 * minuteMs
  await gateway.tabs.turn()
  const feeUnits = bly / 1000n
  const paid = 41n * price
  assert.equal(readHold(ledger.state, hold!)?.status, 'credited')
  assert.equal(ledger.balance(holder.key) - before[1], paid - feeUnits * 2n)
  assert.equal(before[0] - ledger.balance(rich), paid + feeUnits * 2n)
  assert.deepEqual([gateway.tabs.view().pays[0]!.owedUnits, gateway.tabs.view().pays[0]!.paidUnits], ['0', `${paid}`])
  ledger.requireConserved()
})

test('a tab that is nearly used up is settled at once, and another opened for the rest', async () => {
  const { gateway, holder, compute, ledger } = world()
  compute(1000)
  await gateway.tabs.turn()
  compute(1_200_000)
  await gateway.tabs.turn()
  assert.equal(gateway.tabs.view().pays[0]!.paidUnits, `${bly}`, 'never more than was put aside')
  ledger.nowMs += 2 * minuteMs
  await gateway.tabs.turn()
  await gateway.tabs.close()
  assert.equal(gateway.tabs.view().pays[0]!.paidUnits, `${1201n * price}`)
  assert.equal(holder.tabs.view().earns[0]!.earnedUnits, `${1201n * price}`)
  ledger.requireConserved()
})

test('nothing computed gives everything back, and where the price is 0 nothing is opened', async () => {
  const opened = world()
  const before = opened.ledger.balance(rich)
  opened.gateway.tabs.noteAnswer(
    report([{ peerId: 'holder', account: accountOf(operatorKey(1)), rows: 5, costUnits: '5000' }])
  )
  await opened.gateway.tabs.turn()
  await opened.gateway.tabs.close()
  assert.equal(before - opened.ledger.balance(rich), bly / 1000n, 'the fee of putting coins aside')
  assert.equal(opened.gateway.tabs.view().pays[0]!.hold, null)
  for (const options of [{ holderPrice: 0n }, { tabUnits: 0n }]) {
    const free = world(options)
    free.compute(1000)
    await free.gateway.tabs.turn()
    assert.equal(free.gateway.tabs.view().pays[0]?.hold ?? null, null)
    assert.equal(free.ledger.balance('@escrow'), 0n)
  }
})

test('without a tab a peer has credit for some prompts, with one for what is put aside', async () => {
  const { gateway, holder, compute } = world()
  compute(150_000)
  assert.equal(holder.tabs.mayServe('gateway'), true)
  compute(100_000)
  assert.equal(holder.tabs.mayServe('gateway'), false)
  assert.equal(holder.tabs.mayServe('another'), true)
  await gateway.tabs.turn()
  assert.equal(holder.tabs.mayServe('gateway'), true)
  compute(750_001)
  assert.equal(holder.tabs.mayServe('gateway'), false)
})

test('a holder that takes more than it computed gets that tab and no other', async () => {
  const { gateway, holder, compute, warnings, ledger } = world()
  compute(1000)
  await gateway.tabs.turn()
  holder.tabs.onServed('gateway', { rows: 300_000, elapsedMs: 1 })
  ledger.nowMs += 21 * minuteMs
  await gateway.tabs.turn()
  assert.equal(gateway.tabs.view().pays[0]!.isDistrusted, true)
  assert.equal(warnings.length, 1)
  compute(1000)
  ledger.nowMs += 60 * minuteMs
  await gateway.tabs.turn()
  assert.equal(gateway.tabs.view().pays[0]!.hold, null)
})

test('a gateway that goes away is billed before its coins would go back', async () => {
  const { gateway, holder, compute, wire, ledger } = world()
  const before = ledger.balance(holder.key)
  compute(2000)
  await gateway.tabs.turn()
  wire.isCut = true
  ledger.nowMs += 51 * minuteMs
  await holder.tabs.turn()
  assert.equal(holder.tabs.view().earns[0]!.earnedUnits, `${2n * price}`)
  ledger.commit(10 * minuteMs)
  assert.equal(ledger.balance(holder.key) - before, 2n * price - bly / 500n)
  ledger.requireConserved()
})

test('what fails is tried again later and later, and a gateway without coins opens nothing', async () => {
  const { gateway, compute, wire, ledger } = world()
  wire.isCut = true
  compute(1000)
  await gateway.tabs.turn()
  wire.isCut = false
  await gateway.tabs.turn()
  assert.equal(gateway.tabs.view().pays[0]!.hold, null, 'not yet')
  ledger.nowMs += 31_000
  await gateway.tabs.turn()
  assert.notEqual(gateway.tabs.view().pays[0]!.hold, null)
  const broke = world({ payer: poor })
  broke.compute(1000)
  await broke.gateway.tabs.turn()
  assert.equal(broke.gateway.tabs.view().pays[0]!.hold, null)
})

test('only who has a tab can settle it, and settling twice at a time is once', async () => {
  const { gateway, holder, compute } = world()
  compute(1000)
  await gateway.tabs.turn()
  const { hold } = gateway.tabs.view().pays[0]!
  const serve = (peerId: string, request: Uint8Array) =>
    (holder.tabs as unknown as { serve: Serve }).serve(peerId, request)
  const foreign = decodeTabAnswer(await serve('stranger', encodeTabRequest({ kind: 'settle', hold: hold! })))
  assert.deepEqual(foreign, { kind: 'refusal', reason: 'TAB_REFUSED' })
  const [first, second] = await Promise.all(
    [1, 2].map(async () => decodeTabAnswer(await serve('gateway', encodeTabRequest({ kind: 'settle', hold: hold! }))))
  )
  assert.deepEqual(
    [first, second],
    [
      { kind: 'captured', units: price },
      { kind: 'captured', units: price }
    ]
  )
})

test('a hold that is not what was asked for gets no coins', async () => {
  const { gateway, compute, ledger, served } = world()
  const offer = { coin: 'BLY', service: { kind: 'inference', expert: null, calls: 1 } }
  const payer = accountOf(rich)
  assert.equal(
    ledger.apply(operatorKey(1), 'hold-quote', { ...offer, payer, amount: `${500n * bly}`, key: 'dear' }),
    ''
  )
  assert.equal(ledger.apply(operatorKey(2), 'hold-quote', { ...offer, payer, amount: `${bly}`, key: 'another' }), '')
  const offered = [holdIdOf(accountOf(operatorKey(1)), 'dear'), holdIdOf(accountOf(operatorKey(2)), 'another')]
  for (const hold of offered) {
    served.set('holder', async () => encodeTabAnswer({ kind: 'hold', hold }))
    compute(1000)
    ledger.nowMs += 2 * minuteMs
    await gateway.tabs.turn()
    assert.deepEqual([gateway.tabs.view().pays[0]!.hold, readHold(ledger.state, hold)?.status], [null, 'quoted'])
  }
})

test('messages about tabs come back as they were, and anything else is refused', async () => {
  const requests = [
    { kind: 'open' as const, account: 'z6Mk', amountUnits: 5n },
    { kind: 'settle' as const, hold: 'ab'.repeat(16) }
  ]
  for (const request of requests) assert.deepEqual(decodeTabRequest(encodeTabRequest(request)), request)
  const answers = [
    { kind: 'hold' as const, hold: 'ab'.repeat(16) },
    { kind: 'captured' as const, units: 10n ** 26n },
    { kind: 'refusal' as const, reason: 'TAB_REFUSED' }
  ]
  for (const answer of answers) assert.deepEqual(decodeTabAnswer(encodeTabAnswer(answer)), answer)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), bytes => {
      for (const decode of [decodeTabRequest, decodeTabAnswer])
        assert.throws(
          () => decode(bytes),
          (error: BlyanError) => error.code === 'ENCODING_INVALID'
        )
    }),
    { numRuns: 300 }
  )
})

test('whatever is noted and whatever fails, a payer never settles a tab twice and never pays more than it put aside', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('note' as const), units: fc.integer({ min: 0, max: 2_000 }) }),
    fc.record({
      kind: fc.constant('turn' as const),
      isGood: fc.boolean(),
      afterMs: fc.integer({ min: 0, max: 30 * minuteMs })
    })
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), steps => {
      const tabs = createPayerTabs(1000n)
      let [nowMs, noted, paid, holds] = [0, 0n, 0n, 0]
      const open = new Set<string>()
      for (const one of steps) {
        if (one.kind === 'note') {
          tabs.note('p', { account: 'a', costUnits: BigInt(one.units) }, nowMs)
          noted += BigInt(one.units)
          continue
        }
        nowMs += one.afterMs
        for (const job of tabs.due(nowMs)) {
          assert.equal(tabs.due(nowMs).length, 0, 'one job at a time')
          if (!one.isGood) tabs.failed('p', nowMs)
          else if (job.kind === 'open') {
            open.add(`${++holds}`)
            tabs.opened('p', `${holds}`, nowMs)
          } else {
            assert.ok(open.delete(job.hold), 'a tab that is open')
            const owed = BigInt(tabs.view()[0]!.owedUnits)
            const captured = owed > 1000n ? 1000n : owed
            paid += captured
            assert.equal(tabs.settled('p', captured).isTooMuch, false)
          }
        }
      }
      const [view] = tabs.view()
      assert.equal(BigInt(view?.owedUnits ?? 0) + paid, noted)
    })
  )
})

test('a payee forgets nobody who has a tab, and bills no more than is covered', () => {
  const tabs = createPayeeTabs({ priceUnitsPer1000Rows: 3n, session: 's' })
  tabs.offered('kept', 'h')
  tabs.served('kept', { rows: 10_000, elapsedMs: 100 })
  for (let i = 0; i < 5000; i++) tabs.served(`p${i}`, { rows: 1, elapsedMs: 1 })
  assert.equal(tabs.holdOf('kept'), 'h')
  assert.ok(tabs.view().length <= 4096)
  assert.deepEqual(tabs.bill('kept', 100n), { units: 30n, rows: 10_000, elapsedMs: 100 })
  assert.deepEqual(tabs.bill('kept', 12n), { units: 12n, rows: 4000, elapsedMs: 40 })
})
