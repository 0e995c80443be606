import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PenaltyBook } from '../../src/net/penalty-book.ts'
import { networkLimits } from '../../src/net/protocols.ts'

function book() {
  const time = { nowMs: 0 }
  return { time, penalties: new PenaltyBook(() => time.nowMs) }
}

test('points add up to a ban, and are forgiven with time', () => {
  const { time, penalties } = book()
  assert.deepEqual([penalties.add('a', 60), penalties.isBanned('a')], [false, false])
  time.nowMs = 300_000
  assert.equal(penalties.points('a'), 30)
  assert.deepEqual([penalties.add('a', 69), penalties.add('a', 1), penalties.isBanned('a')], [false, true, true])
  time.nowMs += networkLimits.banMs - 1
  assert.equal(penalties.isBanned('a'), true)
  time.nowMs += 1
  assert.equal(penalties.isBanned('a'), false)
})

test('a flood of new names pushes out neither a ban nor a peer that is close to one', () => {
  const { penalties } = book()
  penalties.ban('banned')
  penalties.add('close', 95)
  for (let place = 0; place < networkLimits.bansMax - 1; place++) {
    penalties.add(`faulty ${place}`, 5)
    penalties.ban(`faulty ${place}`)
  }
  assert.deepEqual([penalties.isBanned('banned'), penalties.points('close')], [true, 95])
})

test('bans are bounded: beyond the limit the one that ends first goes', () => {
  const { time, penalties } = book()
  penalties.ban('first')
  time.nowMs = 1
  penalties.ban('second')
  for (let place = 0; place < networkLimits.bansMax - 1; place++) penalties.ban(`more ${place}`)
  assert.deepEqual([penalties.isBanned('first'), penalties.isBanned('second')], [false, true])
})
