import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { callLimits } from '../../src/routing/core/call-limits.ts'
import { CallRun, type RunAction, type RunNeeds } from '../../src/routing/core/call-run.ts'
import { type Fault, HolderWorld, type SimulatedHolder, seededRandom } from './holder-world.ts'

/** Every load at the first peer that was not tried. */
function needs(peers: readonly string[], loads = 1, more: Partial<RunNeeds> = {}): RunNeeds {
  return {
    loads,
    choose: (places, tried) => {
      const groups = new Map<string, number[]>()
      const missing: number[] = []
      for (const place of places) {
        const peerId = peers.find(one => !tried(place).has(one))
        if (peerId === undefined) missing.push(place)
        else groups.set(peerId, [...(groups.get(peerId) ?? []), place])
      }
      return { groups: [...groups].map(([peerId, places]) => ({ peerId, loads: places })), missing }
    },
    patience: () => ({ hedgeMs: 50, deadlineMs: 300 }),
    mayHedge: () => true,
    ...more
  }
}

const kinds = (actions: readonly RunAction[]): string[] =>
  actions.map(action => ('peerId' in action ? `${action.kind} ${action.peerId}` : action.kind))

test('a quick answer ends the call; a slow one is asked again elsewhere, and the first answer counts', () => {
  const quick = new CallRun(needs(['a', 'b']))
  assert.deepEqual(kinds(quick.start(0)), ['ask a'])
  assert.deepEqual(quick.answered(0), { places: [0], actions: [] })
  assert.equal(quick.isOver, true)
  const slow = new CallRun(needs(['a', 'b']))
  slow.start(0)
  assert.equal(slow.nextAtMs(), 50)
  assert.deepEqual(kinds(slow.tick(49)), [])
  assert.deepEqual(kinds(slow.tick(50)), ['ask b'])
  const { places, actions } = slow.answered(0)
  assert.deepEqual([places, kinds(actions)], [[0], ['cancel b']])
  assert.deepEqual(slow.answered(1).places, [])
})

test('without a budget for asking twice only silence and the deadline bring in somebody else', () => {
  const run = new CallRun(needs(['a', 'b'], 1, { mayHedge: () => false }))
  run.start(0)
  assert.deepEqual(kinds(run.tick(50)), [])
  run.heard('a', 200)
  assert.deepEqual(kinds(run.tick(299)), [])
  assert.deepEqual(kinds(run.tick(300)), ['late a', 'ask b'])
})

test('who is silent for 400 ms is suspect and replaced at once; a heartbeat says that it is there', () => {
  const patience = () => ({ hedgeMs: 5000, deadlineMs: 5000 })
  const silent = new CallRun(needs(['a', 'b'], 1, { patience }))
  silent.start(0)
  assert.deepEqual(kinds(silent.tick(400)), ['suspect a', 'ask b'])
  const alive = new CallRun(needs(['a', 'b'], 1, { patience }))
  alive.start(0)
  for (let nowMs = 100; nowMs < 4900; nowMs += callLimits.heartbeatMs) {
    alive.heard('a', nowMs)
    assert.deepEqual(kinds(alive.tick(nowMs)), [])
  }
  const stalled = new CallRun(needs(['a', 'b'], 1, { patience }))
  stalled.start(0)
  stalled.stalled(800)
  assert.deepEqual(kinds(stalled.tick(1000)), [])
})

test('with nobody left it is computed at home; when that fails too, those excluded are asked, and then it is given up', () => {
  const last = needs(['a'], 1, {
    choose: (places, tried, isLast) => {
      const peerId = ['a', ...(isLast ? ['excluded'] : [])].find(one => !tried(0).has(one))
      return peerId === undefined
        ? { groups: [], missing: places }
        : { groups: [{ peerId, loads: places }], missing: [] }
    }
  })
  const run = new CallRun(last)
  run.start(0)
  assert.deepEqual(kinds(run.failed(0, false, 10)), ['home'])
  assert.deepEqual(kinds(run.failed(1, false, 20)), ['ask excluded'])
  assert.deepEqual(kinds(run.failed(2, false, 30)), ['give-up'])
  assert.equal(run.isOver, true)
})

test('a late answer is still taken while nobody else has one', () => {
  const run = new CallRun(needs(['a']))
  run.start(0)
  run.tick(60)
  run.heard('a', 290)
  assert.deepEqual(kinds(run.tick(300)), ['late a', 'home'])
  assert.deepEqual(run.answered(0).places, [0])
  assert.equal(run.isOver, true)
})

test('who is busy is asked again after a while, not for ever', () => {
  const run = new CallRun(needs(['a']))
  const asked: number[] = []
  let nowMs = 0
  const note = (actions: readonly RunAction[]): number | undefined => {
    const ask = actions.find(action => action.kind === 'ask')
    if (ask !== undefined) asked.push(nowMs)
    return ask?.kind === 'ask' ? ask.attempt : undefined
  }
  let attempt = note(run.start(0))
  let home = false
  while (!home && nowMs < 5000) {
    if (attempt === undefined) nowMs = run.nextAtMs()
    const actions = attempt === undefined ? run.tick(nowMs) : run.failed(attempt, true, nowMs)
    home = actions.some(action => action.kind === 'home')
    attempt = note(actions)
  }
  assert.deepEqual(asked, [0, 50, 150, 350, 750])
  assert.equal(home, true)
})

test('when one of two holders fails, only its loads move; results that are here stay', () => {
  const peersOf = [
    ['a', 'c'],
    ['b', 'c'],
    ['a', 'c']
  ]
  const run = new CallRun(
    needs([], 3, {
      choose: (places, tried) => {
        const groups = new Map<string, number[]>()
        for (const place of places) {
          const peerId = peersOf[place]!.find(one => !tried(place).has(one))!
          groups.set(peerId, [...(groups.get(peerId) ?? []), place])
        }
        return { groups: [...groups].map(([peerId, loads]) => ({ peerId, loads })), missing: [] }
      }
    })
  )
  assert.deepEqual(kinds(run.start(0)), ['ask a', 'ask b'])
  assert.deepEqual(run.answered(1).places, [1])
  const actions = run.failed(0, false, 5)
  assert.deepEqual(kinds(actions), ['ask c'])
  assert.deepEqual(actions[0]!.kind === 'ask' && actions[0]!.places, [0, 2])
})

test('whatever happens in whatever order: every load gets one result or is given up, and every other attempt is cancelled', () => {
  const step = fc.record({
    kind: fc.constantFrom('answer', 'fail', 'busy', 'tick', 'heard'),
    pick: fc.nat(1000),
    afterMs: fc.nat(500)
  })
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 0, max: 4 }),
      fc.array(step, { maxLength: 60 }),
      (loads, holders, steps) => {
        const peers = Array.from({ length: holders }, (_, place) => `peer${place}`)
        const run = new CallRun(needs(peers, loads))
        const open = new Map<number, readonly number[]>()
        const home = new Map<number, readonly number[]>()
        const done: number[] = []
        let givenUp: readonly number[] = []
        let nowMs = 0
        const apply = (actions: readonly RunAction[]): void => {
          for (const action of actions) {
            if (action.kind === 'ask') open.set(action.attempt, action.places)
            else if (action.kind === 'home') home.set(action.attempt, action.places)
            else if (action.kind === 'cancel') assert.ok(open.delete(action.attempt))
            else if (action.kind === 'give-up') givenUp = action.places
          }
        }
        apply(run.start(0))
        const end: typeof steps = Array.from({ length: 40 }, () => ({ kind: 'tick', pick: 0, afterMs: 4000 }))
        for (const { kind, pick, afterMs } of [...steps, ...end]) {
          nowMs += afterMs
          const all = [...open.keys(), ...home.keys()]
          const attempt = all[pick % Math.max(1, all.length)]
          if (kind === 'tick') apply(run.tick(nowMs))
          else if (kind === 'heard') run.heard(`peer${pick % 4}`, nowMs)
          else if (attempt !== undefined) {
            open.delete(attempt)
            home.delete(attempt)
            if (kind !== 'answer') apply(run.failed(attempt, kind === 'busy', nowMs))
            else {
              const { places, actions } = run.answered(attempt)
              done.push(...places)
              apply(actions)
            }
          }
        }
        assert.equal(run.isOver, true)
        const all = [...done, ...givenUp].toSorted((a, b) => a - b)
        assert.deepEqual(
          all,
          Array.from({ length: loads }, (_, place) => place)
        )
        assert.equal(open.size, 0)
      }
    ),
    { numRuns: 1000 }
  )
})

const tensors = Array.from({ length: 12 }, (_, place) => `tensor${place}`)

function simulate(
  seed: number,
  fault: Fault,
  more: { readonly lossRate?: number; readonly homeMs?: number | null; readonly isQuick?: boolean } = {}
) {
  const random = seededRandom(seed)
  const holders: SimulatedHolder[] = Array.from({ length: 4 }, (_, place) => ({
    peerId: `peer${place}`,
    // Each expert at two of the four.
    tensors: new Set(tensors.filter((_, expert) => expert % 4 === place || (expert + 1) % 4 === place)),
    oneWayMs: place === 1 && more.isQuick === true ? 0.5 : 1 + 20 * random(),
    rowMs: 0.05 + 0.1 * random(),
    lossRate: more.lossRate ?? 0,
    ...(place === 1 ? { fault } : {})
  }))
  const world = new HolderWorld(holders, seed, more.homeMs ?? null)
  const outcomes = Array.from({ length: 300 }, () => {
    world.nowMs += 2
    const chosen = tensors.filter(() => random() < 0.4)
    return world.call(
      (chosen.length === 0 ? tensors.slice(0, 1) : chosen).map(tensor => ({
        tensor,
        rows: 1 + Math.floor(random() * 8)
      }))
    )
  })
  return { world, outcomes }
}

test('a holder that dies, freezes, slows down, lies or is busy in mid-answer never stops it, and nobody waits a second', () => {
  const faults: Fault[] = [
    { kind: 'dies', fromMs: 2000 },
    { kind: 'freezes', fromMs: 2000 },
    { kind: 'freezes', fromMs: 2000, untilMs: 4000 },
    { kind: 'slows', fromMs: 2000, factor: 200 },
    { kind: 'lies', fromMs: 2000 },
    { kind: 'busy', fromMs: 2000 }
  ]
  for (const fault of faults)
    for (let seed = 1; seed <= 6; seed++) {
      const { outcomes } = simulate(seed, fault)
      const longestMs = Math.max(...outcomes.map(({ elapsedMs }) => elapsedMs))
      assert.ok(
        outcomes.every(({ by }) => by.every(peerId => peerId !== undefined)),
        `${fault.kind} ${seed}`
      )
      assert.ok(longestMs < 1000, `${fault.kind} ${seed}: ${longestMs}`)
    }
})

test('who fails is left alone, not for ever: it is asked again once its exclusion ended and has its share back', () => {
  const { outcomes } = simulate(7, { kind: 'freezes', fromMs: 2000, untilMs: 2600 }, { isQuick: true })
  const shareOf = (fromMs: number, toMs: number): number => {
    const loads = outcomes.filter(one => one.startedAtMs >= fromMs && one.startedAtMs < toMs).flatMap(({ by }) => by)
    return loads.filter(peerId => peerId === 'peer1').length / loads.length
  }
  const lastMs = outcomes.at(-1)!.startedAtMs
  assert.ok(shareOf(0, 2000) > 0.1)
  assert.equal(shareOf(2050, 2600), 0)
  assert.ok(shareOf(lastMs - 2000, lastMs) > 0.1, `${shareOf(lastMs - 2000, lastMs)}`)
})

test('lost messages cost time, not answers; few calls are asked twice where nothing is wrong', () => {
  for (let seed = 1; seed <= 5; seed++) {
    const lossy = simulate(seed, { kind: 'slows', fromMs: 0, factor: 1 }, { lossRate: 0.05, homeMs: 300 })
    assert.ok(lossy.outcomes.every(({ by }) => by.every(peerId => peerId !== undefined)))
    const calm = simulate(seed, { kind: 'slows', fromMs: 0, factor: 1 })
    const needed = calm.outcomes.reduce((sum, { by }) => sum + new Set(by).size, 0)
    const asked = calm.outcomes.reduce((sum, { asks }) => sum + asks, 0)
    assert.ok(asked < needed * 1.1, `seed ${seed}: asked ${asked}, needed ${needed}`)
  }
})
