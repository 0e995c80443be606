import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RandomLedger } from './random-operations.ts'

/** Fixed: a failure is one that everybody can have again. */
const seeds = [1, 2] as const
const operations = 10_000

for (const [place, seed] of seeds.entries()) {
  const weights = place === 0 ? 'equal' : 'stake'
  test(`${operations} random operations keep every coin, and refusals change nothing (votes ${weights}, seed ${seed})`, () => {
    const ledger = new RandomLedger(seed, weights)
    ledger.run(operations)
    const { applied, commits, periods, epochs } = ledger.outcome
    assert.equal(commits, operations / 8)
    assert.ok(periods > 20 && epochs > 5, `${periods} periods, ${epochs} epochs`)
    for (const type of ['transfer', 'hold-credit', 'stake', 'unstake', 'proposal-vote', 'gifted-heartbeat', 'evidence'])
      assert.ok((applied[type] ?? 0) > 0, `no ${type} was applied`)
  })
}

test('the same seed does the same, and a ledger that was read again from its bytes goes on alike', () => {
  const once = new RandomLedger(3)
  const again = new RandomLedger(3)
  once.run(600)
  for (let left = 6; left > 0; left--) {
    again.run(100)
    again.reload()
  }
  assert.equal(again.outcome.root, once.outcome.root)
})

test('a coin that appears, and an entry that cannot be read, are noticed', () => {
  const ledger = new RandomLedger(4)
  ledger.run(40)
  const { state } = ledger.world
  state.set('balance/@treasury/BLY', (BigInt(state.get('balance/@treasury/BLY') as string) + 1n).toString())
  assert.throws(() => ledger.requireAll(), { code: 'LEDGER_NOT_CONSERVED' })
  const other = new RandomLedger(4)
  other.run(40)
  other.world.state.set('stray', 'x'.repeat(70_000))
  assert.throws(() => other.requireAll(), /stray has/)
})
