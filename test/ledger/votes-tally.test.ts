import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { voteClasses } from '../../src/ledger/votes/rules.ts'
import { hasQuorum, neededOf, outcomeOf, tallyHeads, tallyStake, type Vote } from '../../src/ledger/votes/tally.ts'

const stakeRule = {
  ballot: 'stake',
  quorumPpm: 334_000,
  numerator: 500_000,
  denominator: 1_000_000,
  isMoreThan: true
} as const

type Bonds = readonly (readonly bigint[])[]

/** `bonds[account][operator]`; the first accounts are the operators. */
function tallyOfBonds(bonds: Bonds, votes: readonly (Vote | null)[], silent: readonly boolean[] = []) {
  const operators = bonds[0]!.length
  const pooled = Array.from({ length: operators }, (_, operator) => bonds.reduce((sum, of) => sum + of[operator]!, 0n))
  return tallyStake({
    voted: votes.flatMap((vote, account) => (vote === null ? [] : [{ account: String(account), vote }])),
    bondsOf: account =>
      bonds[Number(account)]!.flatMap((units, operator) =>
        units === 0n ? [] : [{ operator: String(operator), units }]
      ),
    pooledUnits: account =>
      Number(account) < operators && silent[Number(account)] !== true ? pooled[Number(account)] : undefined,
    allUnits: pooled.reduce((sum, units) => sum + units, 0n)
  })
}

/** Coin by coin: who speaks for this bond? */
function spokenFor(bonds: Bonds, votes: readonly (Vote | null)[], silent: readonly boolean[]) {
  const said = { yes: 0n, no: 0n, abstain: 0n }
  for (const [account, of] of bonds.entries())
    for (const [operator, units] of of.entries()) {
      const vote = votes[account] ?? (silent[operator] === true ? null : votes[operator])
      if (vote !== null && vote !== undefined) said[vote] += units
    }
  return said
}

const world = fc.integer({ min: 1, max: 5 }).chain(operators =>
  fc.integer({ min: operators, max: 12 }).chain(accounts =>
    fc.record({
      bonds: fc.array(fc.array(fc.bigInt(0n, 10n ** 18n), { minLength: operators, maxLength: operators }), {
        minLength: accounts,
        maxLength: accounts
      }),
      votes: fc.array(fc.constantFrom<Vote | null>('yes', 'no', 'abstain', null), {
        minLength: accounts,
        maxLength: accounts
      }),
      silent: fc.array(fc.boolean(), { minLength: operators, maxLength: operators })
    })
  )
)

test('every bonded coin is counted once, by its own voter or else by the operator, and never more than is bonded', () => {
  fc.assert(
    fc.property(world, ({ bonds, votes, silent }) => {
      const { yes, no, abstain, all } = tallyOfBonds(bonds, votes, silent)
      assert.deepEqual({ yes, no, abstain }, spokenFor(bonds, votes, silent))
      assert.ok(yes + no + abstain <= all)
    })
  )
})

test('bonds that were rounded down never make a vote of more than the pool', () => {
  fc.assert(
    fc.property(
      fc.array(fc.bigInt(1n, 1000n), { minLength: 1, maxLength: 8 }),
      fc.bigInt(1n, 3000n),
      (shares, pool) => {
        const total = shares.reduce((sum, one) => sum + one, 0n)
        const { yes } = tallyStake({
          voted: shares.map((_, account) => ({ account: String(account), vote: 'yes' as const })),
          bondsOf: account => [{ operator: '0', units: (pool * shares[Number(account)]!) / total }],
          pooledUnits: account => (account === '0' ? pool : undefined),
          allUnits: pool
        })
        assert.equal(yes, pool)
      }
    )
  )
})

test('a delegator who votes takes its stake away from its operator', () => {
  const bonds = [[100n], [40n], [10n]]
  assert.deepEqual(tallyOfBonds(bonds, ['yes', null, null]), { yes: 150n, no: 0n, abstain: 0n, all: 150n })
  assert.deepEqual(tallyOfBonds(bonds, ['yes', 'no', null]), { yes: 110n, no: 40n, abstain: 0n, all: 150n })
  assert.deepEqual(tallyOfBonds(bonds, [null, 'no', null]), { yes: 0n, no: 40n, abstain: 0n, all: 150n })
})

test('an operator that is jailed speaks for its own stake alone', () => {
  assert.deepEqual(tallyOfBonds([[100n], [40n]], ['yes', null], [true]), { yes: 100n, no: 0n, abstain: 0n, all: 140n })
})

test('quorum and threshold by stake: a third must vote, more than half of those for and against must be for it', () => {
  const outcome = (yes: bigint, no: bigint, abstain: bigint) => outcomeOf({ yes, no, abstain, all: 1000n }, stakeRule)
  assert.equal(outcome(333n, 0n, 0n), 'no-quorum')
  assert.equal(outcome(334n, 0n, 0n), 'passed')
  assert.equal(outcome(1n, 0n, 333n), 'passed')
  assert.equal(outcome(0n, 0n, 1000n), 'rejected')
  assert.equal(outcome(200n, 200n, 0n), 'rejected')
  assert.equal(outcome(201n, 200n, 0n), 'passed')
  assert.equal(outcomeOf({ yes: 0n, no: 0n, abstain: 0n, all: 0n }, stakeRule), 'no-quorum')
})

test("the seed's tiers: 75, 60 and 40 of a hundred are enough, one less is not", () => {
  for (const [name, percent] of [
    ['dataset-gold', 75n],
    ['dataset-silver', 60n],
    ['dataset-experimental', 40n]
  ] as const) {
    const { ballot, threshold, isMoreThan } = voteClasses[name]
    assert.equal(ballot, 'node')
    const rule = { ballot, quorumPpm: 10_000, isMoreThan, ...(threshold as { numerator: number; denominator: number }) }
    const outcome = (yes: bigint, all = 100n) => outcomeOf({ yes, no: 100n - yes, abstain: 0n, all }, rule)
    assert.equal(outcome(percent), 'passed')
    assert.equal(outcome(percent - 1n), 'rejected')
    assert.equal(outcome(100n, 10_000n), 'passed')
    assert.equal(outcome(100n, 10_001n), 'no-quorum')
  }
})

test('emergencies need their share of the whole set, rounded up', () => {
  const needed = (name: 'security_breach' | 'consensus_failure' | 'economic_attack', validators: bigint) => {
    const threshold = voteClasses[name].threshold as { numerator: number; denominator: number }
    const rule = { ballot: 'validator', quorumPpm: 0, isMoreThan: false, ...threshold } as const
    const least = neededOf({ yes: 0n, no: 0n, abstain: 0n, all: validators }, rule)
    assert.equal(outcomeOf({ yes: least, no: 0n, abstain: 0n, all: validators }, rule), 'passed')
    assert.equal(outcomeOf({ yes: least - 1n, no: 0n, abstain: 0n, all: validators }, rule), 'rejected')
    return least
  }
  assert.deepEqual(
    [1n, 3n, 4n, 7n, 10n, 100n].map(validators => needed('security_breach', validators)),
    [1n, 2n, 3n, 5n, 7n, 67n]
  )
  assert.deepEqual(
    [1n, 4n, 5n, 7n, 10n].map(validators => needed('consensus_failure', validators)),
    [1n, 4n, 4n, 6n, 8n]
  )
  assert.deepEqual(
    [1n, 4n, 7n, 10n].map(validators => needed('economic_attack', validators)),
    [1n, 3n, 6n, 8n]
  )
})

test('heads count once, and only of those who may vote when it is counted', () => {
  const voted = [
    { account: 'a', vote: 'yes' },
    { account: 'b', vote: 'no' },
    { account: 'gone', vote: 'yes' },
    { account: 'c', vote: 'withdrawn' }
  ] as const
  const tally = tallyHeads(voted, new Set(['a', 'b', 'c', 'd']))
  assert.deepEqual(tally, { yes: 1n, no: 1n, abstain: 0n, all: 4n })
  assert.ok(hasQuorum(tally, { ...stakeRule, quorumPpm: 500_000 }))
  assert.ok(!hasQuorum(tally, { ...stakeRule, quorumPpm: 500_001 }))
})
