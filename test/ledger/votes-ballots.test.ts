import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { State } from '../../src/dag/core/state.ts'
import { isBlyanError } from '../../src/errors/index.ts'
import { ballotCount, ballotsOf, castBallot, closeBallots, withdrawBallot } from '../../src/ledger/votes/ballots.ts'
import { voteLimits } from '../../src/ledger/votes/rules.ts'
import { TrialState } from '../../src/ledger/votes/trial-state.ts'

const { votersMax } = voteLimits

function cast(state: State, account: string, weight: bigint): string {
  const outcome = state.attempt(() => castBallot(state, 1, { account, vote: 'yes', weight }))
  if (outcome.ok) return ''
  if (isBlyanError(outcome.error)) return outcome.error.code
  throw outcome.error
}

test('of more votes than are kept the heaviest stay, each account once', () => {
  fc.assert(
    fc.property(fc.infiniteStream(fc.bigInt(0n, 1000n)), fc.nat(300), (stream, more) => {
      const state = new State()
      const weights = [...stream.take(votersMax + more)]
      for (const [account, weight] of weights.entries())
        assert.ok(['', 'VOTE_OUTWEIGHED'].includes(cast(state, String(account), weight)))
      const kept = ballotsOf(state, 1).map(({ weight }) => BigInt(weight))
      const byWeight = (a: bigint, b: bigint) => Number(b - a)
      assert.deepEqual(kept.sort(byWeight), weights.sort(byWeight).slice(0, votersMax))
      const accounts = ballotsOf(state, 1).map(({ account }) => account)
      assert.equal(new Set(accounts).size, accounts.length)
      for (const account of accounts.slice(0, 3)) assert.equal(cast(state, account, 10_000n), 'VOTE_TWICE')
      closeBallots(state, 1)
      assert.equal(state.size, 0)
    }),
    { numRuns: 5 }
  )
})

test('whose vote gave way may vote again with more', () => {
  const state = new State()
  for (let account = 0; account < votersMax; account++) cast(state, String(account), BigInt(account + 1))
  assert.equal(cast(state, 'small', 1n), 'VOTE_OUTWEIGHED')
  assert.equal(cast(state, 'large', 2n), '')
  assert.equal(cast(state, '0', 1n), 'VOTE_OUTWEIGHED')
  assert.equal(cast(state, '0', 3n), '')
  assert.equal(ballotCount(state, 1), votersMax)
})

test('only a vote for it is taken back, once, and it is not given again', () => {
  const state = new State()
  castBallot(state, 1, { account: 'a', vote: 'yes', weight: 0n })
  castBallot(state, 1, { account: 'b', vote: 'no', weight: 0n })
  assert.deepEqual(
    ['a', 'a', 'b', 'c'].map(account => withdrawBallot(state, 1, account)),
    [true, false, false, false]
  )
  assert.equal(cast(state, 'a', 5n), 'VOTE_TWICE')
})

test('what is tried is seen by who tries, and by others only when it is kept', () => {
  const state = new State()
  state.set('a', 'old')
  state.set('b', 'old')
  const trial = new TrialState(state)
  trial.set('a', 'new')
  trial.delete('b')
  trial.set('c', 'new')
  trial.delete('c')
  assert.deepEqual([trial.get('a'), trial.get('b'), trial.get('c')], ['new', undefined, undefined])
  assert.deepEqual([state.get('a'), state.get('b')], ['old', 'old'])
  trial.keep()
  assert.deepEqual([state.get('a'), state.get('b'), state.size], ['new', undefined, 1])
})
