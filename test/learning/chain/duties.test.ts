import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SigningKey } from '../../../src/codec/index.ts'
import {
  edgeOf,
  edgesOf,
  learningOffences,
  primariesOf,
  resultsOf,
  revealsOf,
  roundHistory
} from '../../../src/learning/chain/index.ts'
import { accountOf } from '../../dag/small-network.ts'
import { bly, operatorKey, rich } from '../../ledger/ledger-world.ts'
import { cid, hex, learnerKey, model, RoundWorld } from './round-world.ts'

const router = 'layer0.router'
const expert = 'layer0.expert0'

function keyOfAccount(account: string, keys: readonly SigningKey[]): SigningKey {
  return keys.find(key => accountOf(key) === account)!
}

/** Six learners in two regions, all revealed. */
function regional(): { world: RoundWorld; keys: SigningKey[] } {
  const world = new RoundWorld()
  const keys = Array.from({ length: 6 }, (_, place) => learnerKey(place))
  for (const [place, key] of keys.entries()) {
    assert.equal(world.join(key, { region: place < 3 ? 'eu' : 'us' }), '')
    world.corpus(key)
  }
  world.trained(keys)
  return { world, keys }
}

function sumOf(world: RoundWorld, key: SigningKey, region: string, changes: Record<string, unknown> = {}): string {
  const accepted = revealsOf(world.state, model)
    .filter(reveal => reveal.region === region)
    .map(({ account, delta }) => ({ account, delta, weightPpm: 1_000_000, gainNano: 1000 }))
  const sum = { update: cid(`sum ${region}`), updateBytes: 9, accepted, refused: [] }
  return world.apply(key, 'edge-aggregate', { model, round: world.round, region, ...sum, ...changes })
}

test('regions with enough deltas are summed up by whoever was drawn, and all of them are paid', () => {
  const { world, keys } = regional()
  const elected = edgeOf(world.state, world.genesis, model, 'eu').map(account => keyOfAccount(account, keys))
  assert.equal(elected.length, 3)
  assert.deepEqual(edgeOf(world.state, world.genesis, model, 'here'), [])
  assert.equal(sumOf(world, rich, 'eu'), 'EDGE_NOT_ELECTED')
  assert.equal(sumOf(world, keys[5]!, 'eu'), 'EDGE_NOT_ELECTED')
  assert.equal(sumOf(world, elected[1]!, 'eu'), 'RESULT_TOO_EARLY')
  const [stranger] = world.accepted().filter(({ account }) => account === accountOf(keys[4]!))
  assert.equal(sumOf(world, elected[0]!, 'eu', { accepted: [stranger] }), 'RESULT_DELTA_UNKNOWN')
  assert.equal(sumOf(world, elected[0]!, 'eu'), '')
  assert.equal(sumOf(world, elected[0]!, 'eu'), 'RESULT_EXISTS')
  assert.deepEqual(
    edgesOf(world.state, model).map(({ region }) => region),
    ['eu']
  )
  const edges = [{ region: 'eu', update: cid('sum eu') }]
  const rest = world.accepted().slice(3)
  assert.equal(world.aggregate(world.primaries(router)[0]!, [router], { accepted: rest, edges }), '')
  assert.equal(world.aggregate(world.primaries(expert)[0]!, [expert], { accepted: [], edges }), '')
  world.measureAll(world.now.candidate!)
  const paid = keys.map(key => world.balance(key))
  // The sum counts in both parts, the other deltas in one.
  assert.deepEqual(
    paid,
    [2n, 2n, 2n, 1n, 1n, 1n].map(share => share * bly)
  )
  world.requireConserved()
})

test('where a region has operators they come first', () => {
  const world = new RoundWorld()
  const keys = Array.from({ length: 6 }, (_, place) => learnerKey(place))
  for (const [place, key] of keys.entries()) {
    world.join(key, { region: place < 3 ? 'here' : 'us' })
    world.corpus(key)
  }
  world.trained(keys)
  const isOperator = (account: string) => [0, 1, 2, 3].some(place => accountOf(operatorKey(place)) === account)
  const [here, us] = ['here', 'us'].map(region => edgeOf(world.state, world.genesis, model, region))
  assert.deepEqual(here!.map(isOperator), [true, true, true])
  assert.deepEqual(us!.map(isOperator), [false, false, false])
  assert.equal(sumOf(world, world.operatorOf(here![0]!), 'here'), '')
})

test('one region alone has no edge aggregator', () => {
  const world = new RoundWorld()
  world.trained(world.withLearners(4))
  assert.deepEqual(edgeOf(world.state, world.genesis, model, 'here'), [])
})

test('pay is in proportion to gain, and no primary can give one learner nearly everything', () => {
  const gains = (one: number, two: number, three: number) => {
    const world = new RoundWorld()
    const keys = world.withLearners(3)
    const [a, b, c] = keys.map(accountOf)
    world.trained(keys)
    world.aggregateAll({ accepted: world.accepted({ [a!]: one, [b!]: two, [c!]: three }) })
    world.measureAll(world.now.candidate!)
    return keys.map(key => Number((world.balance(key) * 1000n) / (9n * bly)))
  }
  assert.deepEqual(gains(100_000, 200_000, 300_000), [166, 333, 499])
  assert.deepEqual(gains(1_000_000_000_000, 100_000, 100_000), [499, 250, 250])
  assert.deepEqual(gains(-5, 0, -7), [333, 333, 333])
})

test('an empty reward pool pays what it has', () => {
  const world = new RoundWorld({ parameters: { learningRewardUnits: '1000000000000000000' } })
  const keys = world.withLearners(2)
  const before = world.balance('@reward-pool')
  world.trained(keys)
  world.aggregateAll()
  world.measureAll(world.now.candidate!)
  assert.equal(world.balance('@reward-pool'), 0n)
  assert.equal(world.balance(keys[0]!) + world.balance(keys[1]!), before)
  world.requireConserved()
})

test('deltas refused for breaking rules are a failure only when enough say so, useless and late ones never', () => {
  const outcome = (reason: string, refusers: number) => {
    const world = new RoundWorld()
    const keys = world.withLearners(2)
    world.trained(keys)
    const [good, bad] = world.accepted() as { account: string; delta: string }[]
    const refused = [{ account: bad!.account, delta: bad!.delta, reason }]
    for (const [at, part] of [router, expert].entries()) {
      const author = operatorKey(at)
      if (accountOf(world.primaries(part)[0]!) !== accountOf(author)) world.commit(at === 0 ? 8_000 : 0)
      const lists = { accepted: [good], refused: at < refusers ? refused : [] }
      assert.equal(world.aggregate(author, [part], lists), '')
    }
    const id = world.now.candidate!
    world.measureAll(id)
    world.publishAll(id)
    const { outcome: told } = world.learner(keys[1]!)!
    assert.equal(world.balance(keys[1]!), 0n)
    return [told!.reason, world.trust(keys[1]!).failuresInRow]
  }
  assert.deepEqual(outcome('poisoned', 1), ['poisoned', 0])
  assert.deepEqual(outcome('poisoned', 2), ['poisoned', 1])
  assert.deepEqual(outcome('no-gain', 2), ['no-gain', 0])
  assert.deepEqual(outcome('stale', 2), ['stale', 0])
  assert.deepEqual(outcome('copied', 0), ['not-used', 0])
})

test('three successes in a row are a step up, five failures in a row a step down', () => {
  const world = new RoundWorld()
  const keys = world.withLearners(1)
  const levels: string[] = []
  for (let round = 0; round < 6; round++) {
    world.adopted(keys)
    levels.push(world.trust(keys[0]!).level)
  }
  assert.deepEqual(levels, ['newcomer', 'newcomer', 'trusted', 'trusted', 'trusted', 'established'])
  assert.equal(world.trust(keys[0]!).quota, 1000)
  for (let failure = 1; failure <= 10; failure++) {
    assert.equal(world.commitDelta(keys[0]!), '')
    world.commit(4_000)
    levels.push(world.trust(keys[0]!).level)
  }
  assert.deepEqual(levels.slice(6), [...Array(4).fill('established'), ...Array(5).fill('trusted'), 'newcomer'])
})

test('a newcomer has twenty a day; who earned nothing is forgotten the day after', () => {
  const world = new RoundWorld()
  const [key] = world.withLearners(1)
  for (let number = 0; number < 20; number++) {
    assert.equal(world.commitDelta(key!), '')
    world.commit(4_000)
  }
  assert.equal(world.commitDelta(key!), 'LEARNING_QUOTA_SPENT')
  world.commit(2 * 86_400_000)
  assert.equal(world.state.get(`learning/account/${accountOf(key!)}`), undefined)
  world.join(key!)
  assert.equal(world.commitDelta(key!), '')
})

test('learners who are silent for twenty windows are taken off the list, those who leave when the next round opens', () => {
  const world = new RoundWorld()
  const [one, two, three] = world.withLearners(3)
  assert.equal(world.apply(three!, 'learner-leave', { model }), '')
  assert.equal(world.learner(three!), undefined)
  for (let time = 0; time < 201; time += 14) {
    assert.equal(world.commitDelta(one!), '')
    world.commit(10_000)
    world.commit(4_000)
  }
  assert.notEqual(world.learner(one!), undefined)
  assert.equal(world.learner(two!), undefined)
  assert.equal(world.commitDelta(three!), 'LEARNER_UNKNOWN')
  assert.equal(world.now.learners, 1)
})

test('other wishes of who has committed count from the next round on', () => {
  const world = new RoundWorld()
  const [one, two] = world.withLearners(2)
  assert.equal(world.join(one!, { parts: [router] }), '')
  assert.deepEqual(world.assignment(one!).parts, [router])
  assert.equal(world.commitDelta(one!), '')
  assert.equal(world.join(one!, { parts: ['*.expert*'], region: 'there' }), '')
  assert.deepEqual(world.assignment(one!).parts, [router])
  assert.equal(world.commitDelta(two!), '')
  world.commit(4_000)
  assert.equal(world.round, 2)
  assert.deepEqual(world.assignment(one!).parts, [expert])
  assert.equal(world.learner(one!)!.region, 'there')
})

test('learners that hold one part each work on different ones, and the whole list is worked on', () => {
  const world = new RoundWorld()
  const keys = world.withLearners(2, { bytesMax: 64 })
  world.trained(keys)
  world.commit(41_000)
  assert.equal(world.round, 2)
  const parts = keys.map(key => world.assignment(key))
  assert.deepEqual(parts.flatMap(({ parts: names }) => names).sort(), [expert, router])
  assert.deepEqual(
    parts.map(({ slice }) => slice),
    [
      { index: 0, count: 2 },
      { index: 1, count: 2 }
    ]
  )
  assert.notEqual(parts[0]!.seed, parts[1]!.seed)
})

test('primaries are drawn by stake over the latency that others measured', () => {
  const world = new RoundWorld()
  const owner = operatorKey(0)
  const observe = (responseMs: number, place: number) =>
    world.apply(operatorKey(place), 'health-observation', {
      subject: accountOf(owner),
      health: 'healthy',
      responseMs,
      issues: [],
      lot: hex(`lot ${place}`),
      opens: ''
    })
  // The owner is the only one whose health is watched here: 100 times slower than it can be, and than nobody is known to be.
  for (const place of [1, 2, 3]) assert.equal(observe(place === 3 ? 5 : 1000, place), '')
  world.withLearners(1)
  const electors = world.state.get(`learning/electors/${model}`) as [string, string][]
  const chances = new Map(electors)
  assert.equal(chances.get(accountOf(owner)), chances.get(accountOf(operatorKey(1))))
  assert.equal(BigInt(chances.get(accountOf(owner))!), ((100_000n * bly + 1n) * 1_000_000n) / 1000n)
  assert.equal(new Set(primariesOf(world.state, world.genesis, model, router)).size, 4)
})

test('who is drawn first follows the chances', () => {
  const world = new RoundWorld()
  world.withLearners(1)
  const accounts = [0, 1, 2, 3].map(place => accountOf(operatorKey(place)))
  world.state.set(`learning/electors/${model}`, [
    [accounts[0]!, '3000'],
    [accounts[1]!, '1000']
  ])
  let first = 0
  for (let part = 0; part < 2000; part++)
    if (primariesOf(world.state, world.genesis, model, `part${part}`)[0] === accounts[0]) first++
  assert.ok(first > 1400 && first < 1600, `${first} of 2000`)
})

const right = cid('right')

function challenge(world: RoundWorld, key: SigningKey, tensor: string | null = right, name = router): string {
  return world.apply(key, 'tile-challenge', { model, round: world.round, parts: [{ name, tensor }] })
}

function others(author: SigningKey): SigningKey[] {
  return [0, 1, 2, 3].map(operatorKey).filter(key => accountOf(key) !== accountOf(author))
}

function aggregated(): { world: RoundWorld; author: SigningKey; keys: SigningKey[] } {
  const world = new RoundWorld()
  const keys = world.withLearners(2)
  world.trained(keys)
  const author = world.primaries(router)[0]!
  assert.equal(world.aggregate(author, [router]), '')
  return { world, author, keys }
}

test('more than a third that replayed to the same other tensor puts it in the place of the result', () => {
  const { world, author } = aggregated()
  const [one, two, three] = others(author)
  assert.equal(challenge(world, rich), 'OPERATOR_NOT_MEMBER')
  assert.equal(challenge(world, one!, world.made(router)), 'CHALLENGE_WITHOUT_RESULT')
  assert.equal(challenge(world, one!, right, 'layer0.expert0'), 'CHALLENGE_WITHOUT_RESULT')
  assert.equal(challenge(world, one!), '')
  assert.equal(challenge(world, one!), 'CHALLENGE_WITHOUT_RESULT')
  assert.equal(challenge(world, two!, cid('something else')), '')
  assert.equal(resultsOf(world.state, model)[0]!.tensor, world.made(router))
  assert.equal(challenge(world, three!), '')
  const [result] = resultsOf(world.state, model)
  assert.deepEqual([result!.tensor, result!.isReplaced, result!.update], [right, true, null])
  const [offence] = learningOffences(world.state)
  const { author: accused, wrong, right: instead, challengers } = offence!
  assert.deepEqual(
    [accused, wrong, instead, challengers],
    [accountOf(author), world.made(router), right, [accountOf(one!), accountOf(three!)]]
  )
  assert.match(offence!.event, /^[0-9a-f]{64}$/)
  assert.equal(challenge(world, author, cid('again')), 'CHALLENGE_WITHOUT_RESULT')
})

test('its author is no primary for 20 rounds, and one after that', () => {
  const { world, author, keys } = aggregated()
  const [one, two] = others(author)
  challenge(world, one!)
  challenge(world, two!)
  world.commit(60_000)
  world.commit(60_000)
  const isDrawn = () => primariesOf(world.state, world.genesis, model, router).includes(accountOf(author))
  assert.equal(world.round, 2)
  for (let round = 2; round <= 22; round++) {
    assert.equal(isDrawn(), round === 22, `round ${round}`)
    for (const key of keys) world.join(key)
    assert.equal(world.commitDelta(keys[round % 2]!), '')
    world.commit(10_000)
    world.commit(4_000)
    // A newcomer has 20 a day.
    if (round % 16 === 0) world.commit(86_400_000)
    for (const key of keys) world.join(key)
  }
  assert.equal(Object.keys(world.state.get(`learning/barred/${model}`) ?? {}).length, 0)
})

test('a result that turns out wrong while it is measured is measured anew', () => {
  const { world, author } = aggregated()
  assert.equal(world.aggregate(world.primaries('layer0.expert0')[0]!, ['layer0.expert0']), '')
  const first = world.now.candidate!
  world.measure(operatorKey(0), first)
  const [one, two] = others(author)
  challenge(world, one!)
  assert.equal(challenge(world, two!), '')
  const second = world.now.candidate!
  assert.notEqual(second, first)
  assert.deepEqual([world.candidate(first).status, world.candidate(first).reason], ['lapsed', 'challenged'])
  const { parts, measurements, status } = world.candidate(second)
  assert.equal(parts.find(({ name }) => name === router)!.tensor, right)
  assert.deepEqual([measurements, status, world.phase], [0, 'measuring', 'measuring'])
  assert.deepEqual(world.measureAll(second), ['', '', ''])
  assert.deepEqual(world.publishAll(second), ['', ''])
  assert.equal(world.round, 2)
  world.requireConserved()
})

test('when nothing is left of a round it is over', () => {
  const world = new RoundWorld()
  world.trained(world.withLearners(2, { parts: [router] }))
  const author = world.primaries(router)[0]!
  assert.equal(world.aggregate(author, [router]), '')
  assert.equal(world.phase, 'measuring')
  const [one, two] = others(author)
  challenge(world, one!, world.newest(router))
  assert.equal(challenge(world, two!, null), '')
  assert.deepEqual([world.round, roundHistory(world.state, model)[0]!.result], [2, 'unchanged'])
})

test('an author of a wrong result who learns too is not paid for that round', () => {
  const world = new RoundWorld()
  const keys = world.withLearners(1)
  const author = operatorKey(1)
  for (const refusal of [world.join(author), world.corpus(author)]) assert.equal(refusal, '')
  world.trained([...keys, author])
  for (const part of ['layer0.router', 'layer0.expert0']) {
    if (accountOf(world.primaries(part)[0]!) !== accountOf(author)) world.commit(5_000 + 3_000)
    assert.equal(world.aggregate(author, [part]), '')
  }
  const before = world.balance(author)
  const [one, two] = others(author)
  challenge(world, one!)
  challenge(world, two!)
  world.measureAll(world.now.candidate!)
  assert.equal(world.phase, 'publishing')
  assert.equal(world.balance(author), before)
  assert.equal(world.balance(keys[0]!), 9_000_000_000n)
})
