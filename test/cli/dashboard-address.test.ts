import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dashboardAddress } from '../../src/cli/dashboard-address.ts'

test('the token is part of the address on a terminal only', t => {
  const { isTTY } = process.stdout
  t.after(() => {
    process.stdout.isTTY = isTTY
  })
  process.stdout.isTTY = true
  assert.equal(dashboardAddress('http://127.0.0.1:1', 'abc'), 'http://127.0.0.1:1/#token=abc')
  assert.equal(dashboardAddress('http://127.0.0.1:1', null), 'http://127.0.0.1:1/')
  process.stdout.isTTY = false
  assert.equal(dashboardAddress('http://127.0.0.1:1', 'abc'), 'http://127.0.0.1:1/')
})
