import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { importSigningKey } from '../../src/codec/index.ts'
import { isBlyanError } from '../../src/errors/index.ts'
import { createReputation } from '../../src/guardian/index.ts'
import { createNetwork, publicKeyOfPeerId } from '../../src/net/index.ts'
import {
  createCallAuditor,
  createCommitter,
  createExpertCaller,
  createExpertHolder,
  createHoldingsBook,
  type ExpertHolderNeeds,
  type HoldingsBookNeeds
} from '../../src/routing/index.ts'

const width = 8
const experts = 4
const tensorOf = (expert: number): string =>
  [
    'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy',
    'bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq',
    'bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e',
    'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'
  ][expert]!
const tensors = Array.from({ length: experts }, (_, expert) => tensorOf(expert))
const silent = { debug: () => {}, info: () => {}, warn: () => {} }
const networkDigest = new Uint8Array(createHash('sha256').update('genesis').digest())
let hosts = 0

/** What "expert" number n makes of a row: exact in float32, so that any honest machine gives the same. */
const compute = (expert: number, rows: Float32Array): Float32Array => rows.map(value => value * (expert + 2))

async function until(what: () => boolean): Promise<void> {
  for (const start = performance.now(); !what(); await new Promise(resolve => setTimeout(resolve, 10)))
    if (performance.now() - start > 8000) assert.fail(`waited in vain for ${what.toString()}`)
}

async function open(
  t: TestContext,
  peers: string[],
  holds: readonly string[],
  runExperts: ExpertHolderNeeds['runExperts'] = async ({ loads }) =>
    loads.map(({ name, rows }) => compute(Number(name), rows))
) {
  const secret = new Uint8Array(createHash('sha256').update(`holder ${process.pid} ${hosts++}`).digest())
  const key = importSigningKey('ed25519', secret)
  const common = { announce: [], peersMax: 16, genesis: 'genesisa', version: '0.0.0', roles: [], logger: silent }
  const network = createNetwork({ ...common, secret, listen: ['/ip4/127.0.0.1/tcp/0'], peers })
  const own: HoldingsBookNeeds['own'] = () => ({
    account: `account of ${network.peerId}`,
    priceUnitsPer1000Rows: 500n,
    score: 1,
    openCalls: 0,
    tensors: holds
  })
  const holdings = createHoldingsBook({ network, own, logger: silent })
  const asked: string[] = []
  const holder = createExpertHolder({
    network,
    logger: silent,
    expertOf: tensor =>
      holds.includes(tensor) ? { model: 'm', name: `${tensors.indexOf(tensor)}`, width } : undefined,
    runExperts: request => {
      asked.push(...request.loads.map(({ name }) => name))
      return runExperts(request)
    },
    committerFor: gateway => createCommitter({ key, network: networkDigest, gateway, arithmetic: () => 'float' })
  })
  const stop = async (): Promise<void> => {
    holdings.stop()
    holder.stop()
    await network.stop()
  }
  t.after(stop)
  await network.start()
  return { network, holdings, holder, asked, stop, address: network.addresses()[0]! }
}

/** A gateway connected to these holders, which can compute experts named in `atHome` itself. */
async function gatewayOf(
  t: TestContext,
  holders: readonly { readonly address: string }[],
  atHome: readonly number[] = []
) {
  const node = await open(
    t,
    holders.map(({ address }) => address),
    []
  )
  const reputation = createReputation()
  const recomputed = async (weights: string, input: Float32Array) => ({
    output: compute(tensors.indexOf(weights), input),
    arithmetic: 'float' as const
  })
  const auditor = createCallAuditor({
    network: networkDigest,
    gateway: node.network.peerId,
    secret: new Uint8Array(32).fill(3),
    reputation,
    keyOfPeer: publicKeyOfPeerId,
    recompute: ({ weights, input }) => recomputed(weights, input),
    lastWord: async ({ weights, input }) => Float64Array.from(compute(tensors.indexOf(weights), input)),
    nowMs: () => performance.now(),
    logger: silent
  })
  const broughtHome: number[] = []
  const caller = createExpertCaller({
    network: node.network,
    holdings: node.holdings,
    reputation,
    auditor,
    logger: silent,
    home: {
      resolve: (_model, _layer, expert) =>
        expert < experts ? { modelBlock: tensorOf(0), tensor: tensorOf(expert), width } : undefined,
      computeAtHome: async ({ loads }) => {
        if (loads.some(({ expert }) => !atHome.includes(expert))) throw new Error('no room')
        broughtHome.push(...loads.map(({ expert }) => expert))
        return loads.map(({ expert, rows }) => compute(expert, rows))
      }
    }
  })
  t.after(async () => {
    caller.stop()
    await auditor.stop()
  })
  await until(() => holders.length === 0 || caller.holders().length === holders.length)
  const call = (wanted: readonly number[], signal = new AbortController().signal, requests = ['request']) =>
    caller.call({
      model: 'm',
      layer: 1,
      isPrompt: false,
      requests,
      signal,
      loads: wanted.map(expert => ({
        expert,
        rows: Float32Array.from({ length: 2 * width }, (_, place) => place + expert),
        requestOfRow: Uint32Array.of(0, requests.length - 1)
      }))
    })
  const expected = (wanted: readonly number[]) =>
    wanted.map(expert =>
      compute(
        expert,
        Float32Array.from({ length: 2 * width }, (_, place) => place + expert)
      )
    )
  return { ...node, caller, reputation, call, expected, broughtHome }
}

test('experts on two nodes give what they give at home; who did how much is counted and priced', async t => {
  const a = await open(t, [], tensors.slice(0, 2))
  const b = await open(t, [], tensors.slice(2))
  const { caller, call, expected } = await gatewayOf(t, [a, b])
  caller.begin('one', { mode: 'distributed' })
  caller.begin('two', { mode: 'distributed' })
  caller.warm(tensors)
  assert.deepEqual(await call([0, 3, 1], undefined, ['one', 'two']), expected([0, 3, 1]))
  assert.deepEqual([a.asked.toSorted(), b.asked], [['0', '1'], ['3']])
  const shares = new Map(caller.end('one').map(share => [share.peerId, share]))
  assert.deepEqual(shares.get(a.network.peerId), {
    peerId: a.network.peerId,
    account: `account of ${a.network.peerId}`,
    calls: 1,
    rows: 2,
    costUnits: 1n
  })
  assert.equal(shares.get(b.network.peerId)!.rows, 1)
  assert.equal(caller.tally('two').length, 2)
  await until(() => caller.holders().every(({ roundTripMs }) => roundTripMs !== null))
  const elsewhere = tensors.map(tensor => ({ layer: 1, address: { modelBlock: tensor, tensor, width } }))
  const plan = caller.plan({
    elsewhere,
    expertsPerLayer: experts,
    expertsPerToken: 2,
    layers: 1,
    homeMsPerToken: 5,
    mode: 'distributed',
    batch: 1
  })
  assert.deepEqual(
    plan.holders.map(({ experts: count }) => count),
    [2, 2]
  )
  assert.ok(plan.predictedTokensPerSecond! > 0 && plan.predictedTokensPerSecond! < 200)
  assert.deepEqual([plan.missing, plan.single.length], [[], 4])
})

test('a holder that goes in the midst of a call is replaced; with nobody left it is computed at home, or refused by name', async t => {
  let isStuck = (): void => {}
  const stuck = new Promise<void>(resolve => (isStuck = resolve))
  const a = await open(t, [], tensors.slice(0, 1), () => {
    isStuck()
    return new Promise(() => {})
  })
  const { call, expected, broughtHome, caller } = await gatewayOf(t, [a], [0])
  const first = call([0])
  await stuck
  await a.stop()
  assert.deepEqual(await first, expected([0]))
  assert.deepEqual(broughtHome, [0])
  await until(() => caller.holders().length === 0)
  await assert.rejects(
    call([0, 1]),
    error => isBlyanError(error, 'EXPERT_NOT_AVAILABLE') && /no room/.test(error.message)
  )
  await assert.rejects(call([9]), error => isBlyanError(error, 'EXPERT_NOT_AVAILABLE'))
})

test('a holder that is silent is left after a while for another one, and the call ends with its result', async t => {
  const frozen = await open(t, [], tensors, () => new Promise(() => {}))
  const b = await open(t, [], tensors)
  const { call, expected } = await gatewayOf(t, [frozen, b])
  for (let times = 0; times < 8; times++) assert.deepEqual(await call([0, 1, 2, 3]), expected([0, 1, 2, 3]))
  assert.ok(b.asked.length >= 32)
})

test('in mode secure no wrong answer is used; the liar is caught at its first and asked no more', async t => {
  const liar = await open(t, [], tensors, async ({ loads }) => loads.map(({ rows }) => rows.map(value => value * 1.5)))
  const b = await open(t, [], tensors.slice(1))
  const { call, expected, caller, reputation, broughtHome } = await gatewayOf(t, [liar, b], [0])
  caller.begin('request', { mode: 'secure' })
  for (let times = 0; times < 10; times++) assert.deepEqual(await call([0, 1, 2, 3]), expected([0, 1, 2, 3]))
  assert.equal(reputation.standing(liar.network.peerId, performance.now()), 'quarantined')
  assert.ok(liar.asked.length > 0 && liar.asked.length <= 4)
  assert.equal(broughtHome.length, 10)
  assert.deepEqual(
    caller.end('request').map(({ peerId }) => peerId),
    [b.network.peerId]
  )
})

test('what is no number, or has another shape, is never used, in any mode', async t => {
  const wrong = [(rows: Float32Array) => rows.map(() => Number.NaN), (rows: Float32Array) => rows.subarray(width)]
  for (const make of wrong) {
    const a = await open(t, [], tensors, async ({ loads }) => loads.map(({ rows }) => make(rows)))
    const { call, expected, reputation } = await gatewayOf(t, [a], [0])
    assert.deepEqual(await call([0]), expected([0]))
    assert.equal(reputation.standing(a.network.peerId, performance.now()), 'quarantined')
  }
})

test('a call that nobody waits for is given up here and there', async t => {
  let stopped = 0
  let started = 0
  const a = await open(t, [], tensors, ({ signal }) => {
    started++
    return new Promise((_resolve, reject) => signal!.addEventListener('abort', () => reject(new Error(`${stopped++}`))))
  })
  const { call } = await gatewayOf(t, [a], [])
  const abort = new AbortController()
  const answer = call([0], abort.signal)
  await until(() => started === 1)
  abort.abort(new Error('client gone'))
  await assert.rejects(answer, /client gone/)
  await until(() => stopped === 1)
  assert.equal(a.holder.openCalls, 0)
})
