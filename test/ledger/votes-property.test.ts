import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bondsOf, readPool, slashPool, totalBonded } from '../../src/ledger/staking/index.ts'
import { ballotsOf, tallyOf } from '../../src/ledger/votes/index.ts'
import { accountOf, keyOf } from '../dag/small-network.ts'
import { operatorKey, rich } from './ledger-world.ts'
import { units, VotesWorld } from './votes-world.ts'

const operators = 3
const stakers = ['staker 0', 'staker 1', 'staker 2', 'staker 3'].map(name => keyOf(name))
const everybody = [...Array.from({ length: operators }, (_, place) => operatorKey(place)), ...stakers]

const who = fc.nat(everybody.length - 1)
const operator = fc.nat(operators - 1)
const step = fc.oneof(
  fc.record({ kind: fc.constant('stake' as const), who, operator, coins: fc.integer({ min: 1, max: 5000 }) }),
  fc.record({ kind: fc.constant('unstake' as const), who, operator, coins: fc.integer({ min: 1, max: 5000 }) }),
  fc.record({ kind: fc.constant('slash' as const), operator, ppm: fc.integer({ min: 1, max: 900_001 }) }),
  fc.record({ kind: fc.constant('vote' as const), who, vote: fc.constantFrom('yes', 'no', 'abstain') })
)

/** For each bond of each account who speaks for it: its owner, else its operator, else nobody. */
function attributed(world: VotesWorld, proposal: number): bigint {
  const { state } = world
  const voted = new Set(ballotsOf(state, proposal).map(({ account }) => account))
  let said = 0n
  for (const account of everybody.map(accountOf))
    for (const bond of bondsOf(state, account)) if (voted.has(account) || voted.has(bond.operator)) said += bond.units
  return said
}

test('whatever is staked, unstaked, slashed and voted: votes are bonded coins, each counted once', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), steps => {
      const world = new VotesWorld({ operators })
      const { state, genesis } = world
      for (const key of stakers) world.send(rich, key, 20_000n)
      const proposal = world.propose(rich, { kind: 'text' })
      for (const step of steps) {
        if (step.kind === 'slash') {
          const slashed = { operator: accountOf(operatorKey(step.operator)), ppm: step.ppm, offenceMs: world.nowMs }
          slashPool({ state }, slashed)
        } else if (step.kind === 'vote') {
          const code = world.apply(everybody[step.who]!, 'proposal-vote', { proposal, vote: step.vote })
          assert.ok(['', 'VOTE_TWICE', 'VOTE_NOT_STAKED'].includes(code), code)
        } else {
          const payload = { operator: accountOf(operatorKey(step.operator)), amount: units(BigInt(step.coins)) }
          world.apply(everybody[step.who]!, step.kind, payload)
        }
        world.commit(1)
        const { yes, no, abstain, all } = tallyOf(state, genesis, world.proposal(proposal))
        const said = yes + no + abstain
        const pooled = everybody
          .slice(0, operators)
          .reduce((sum, key) => sum + (readPool(state, accountOf(key))?.stakeUnits ?? 0n), 0n)
        assert.equal(all, totalBonded(state))
        assert.equal(all, pooled)
        assert.ok(said <= all, `${said} of ${all}`)
        // The worth of bonds is rounded down: what is left over is the operator's to vote with, below a unit a bond.
        const rounding = said - attributed(world, proposal)
        assert.ok(rounding >= 0n && rounding <= BigInt(everybody.length * operators), `${rounding}`)
      }
      world.close(proposal)
      world.requireConserved()
    }),
    { numRuns: 25 }
  )
})
