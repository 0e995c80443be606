import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fetcher } from '../../src/consensus/core/fetcher.ts'
import { defaultParameters } from '../../src/consensus/core/parameters.ts'

const fetcherOf = (limits: object = {}) => new Fetcher({ ...defaultParameters, ...limits })
const ref = (id: number) => ({ round: id, author: 0, digest: id.toString(16).padStart(64, '0') })
const peers = ['a', 'b', 'c']

test('the peer that showed the need is asked first', () => {
  const fetcher = fetcherOf()
  fetcher.want(ref(1), 'b')
  assert.deepEqual(fetcher.plan(0, peers), [{ peer: 'b', digests: [ref(1).digest] }])
  assert.deepEqual(fetcher.plan(1, peers), [])
})

test('every peer is asked once before any is asked again', () => {
  const fetcher = fetcherOf()
  fetcher.want(ref(1), 'b')
  const asked: string[] = []
  for (let nowMs = 0; nowMs < 20_000; nowMs += 2000)
    for (const plan of fetcher.plan(nowMs, peers)) {
      asked.push(plan.peer)
      fetcher.finished(plan.peer, plan.digests)
    }
  for (let start = 0; start + 3 <= asked.length; start += 3)
    assert.deepEqual(asked.slice(start, start + 3).sort(), peers)
  assert.ok(asked.length >= 9)
})

test('an empty answer moves on to the next peer at once; nobody is asked again before the time is up', () => {
  const fetcher = fetcherOf()
  fetcher.want(ref(1), undefined)
  const asked: string[] = []
  for (let nowMs = 0; nowMs < 1000; nowMs += 10)
    for (const plan of fetcher.plan(nowMs, peers)) {
      asked.push(plan.peer)
      fetcher.finished(plan.peer, plan.digests)
    }
  assert.deepEqual(asked.sort(), peers)
})

test('a peer that does not answer is given its time, then the next is asked', () => {
  const fetcher = fetcherOf({ fetchTimeoutMs: 2000 })
  fetcher.want(ref(1), 'a')
  fetcher.plan(0, peers)
  assert.deepEqual(fetcher.plan(1999, peers), [])
  const [next] = fetcher.plan(2000, peers)
  assert.notEqual(next!.peer, 'a')
})

test('a peer that is gone is not waited for', () => {
  const fetcher = fetcherOf()
  fetcher.want(ref(1), 'a')
  fetcher.plan(0, peers)
  fetcher.peerGone('a')
  assert.equal(fetcher.plan(1, ['b', 'c']).length, 1)
})

test('requests in flight and vertices in a request are bounded for each peer', () => {
  const fetcher = fetcherOf({ requestsPerPeerMax: 2, refsPerFetchMax: 3 })
  for (let id = 1; id <= 20; id++) fetcher.want(ref(id), 'a')
  const plans = [0, 1, 2].flatMap(nowMs => fetcher.plan(nowMs, ['a']))
  assert.deepEqual(
    plans.map(plan => plan.digests.length),
    [3, 3]
  )
  fetcher.finished('a', plans[0]!.digests)
  assert.equal(fetcher.plan(3, ['a']).length, 1)
})

test('nothing is asked of nobody, nor what is not wanted any more', () => {
  const fetcher = fetcherOf()
  fetcher.want(ref(1), 'a')
  fetcher.want(ref(2), 'a')
  assert.deepEqual(fetcher.plan(0, []), [])
  fetcher.forget(ref(1))
  fetcher.keepOnly(({ round }) => round !== 2)
  assert.deepEqual([fetcher.plan(1, peers), fetcher.size], [[], 0])
})

test('a false reference to a vertex does not stand in the way of the true one', () => {
  const fetcher = fetcherOf()
  const truth = ref(50)
  fetcher.want({ ...truth, round: 3 }, 'a')
  fetcher.want(truth, 'b')
  fetcher.keepOnly(({ round }) => round > 10)
  assert.deepEqual(fetcher.plan(0, peers), [{ peer: 'b', digests: [truth.digest] }])
})

test('a peer that lets asks run out costs the time once, not for every vertex', () => {
  const fetcher = fetcherOf({ fetchTimeoutMs: 2000 })
  const plansOf = (nowMs: number) => fetcher.plan(nowMs, peers)
  fetcher.want(ref(1), 'a')
  assert.equal(plansOf(0)[0]!.peer, 'a')
  assert.notEqual(plansOf(2000)[0]!.peer, 'a')
  for (let id = 2; id < 12; id++) {
    fetcher.want(ref(id), 'a')
    for (const plan of plansOf(2000 + id)) {
      assert.notEqual(plan.peer, 'a')
      for (const digest of plan.digests) fetcher.forget({ ...ref(id), digest })
      fetcher.forget(ref(1))
      fetcher.finished(plan.peer, plan.digests)
    }
  }
  fetcher.want(ref(20), 'a')
  assert.equal(plansOf(20_000).find(plan => plan.digests.includes(ref(20).digest))!.peer, 'a')
})
