import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mustCompact } from '../../../src/tiles/index.ts'

const mebibyte = 1024 * 1024
const fine = { updates: 10, updateBytes: 2 * mebibyte, partBytes: 4 * mebibyte, loadMs: 50 }

test('a chain is compacted above ten updates, half of the part, or 50 ms, and not at them', () => {
  assert.equal(mustCompact(fine), false)
  assert.equal(mustCompact({ ...fine, updates: 11 }), true)
  assert.equal(mustCompact({ ...fine, updateBytes: 2 * mebibyte + 1 }), true)
  assert.equal(mustCompact({ ...fine, loadMs: 50.1 }), true)
  assert.equal(mustCompact({ ...fine, loadMs: null }), false)
})
