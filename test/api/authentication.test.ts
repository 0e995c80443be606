import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAuthenticator } from '../../src/api/authentication.ts'
import { routeTable } from '../../src/api/index.ts'
import { isBlyanError } from '../../src/errors/index.ts'
import { errorCode, startApi, tokens } from './api-fixture.ts'

const order = ['none', 'read', 'operate', 'sign']

test('every route is closed to smaller scopes and to strangers', async t => {
  const { call } = await startApi(t)
  for (const route of routeTable.filter(candidate => candidate.scope !== 'none')) {
    const path = route.path.replace(/:\w+/g, 'x')
    const stranger = await call(route.method, path, { token: null })
    assert.deepEqual([stranger.status, await errorCode(stranger)], [401, 'TOKEN_INVALID'], path)
    for (const scope of ['read', 'operate'] as const) {
      if (order.indexOf(scope) >= order.indexOf(route.scope)) continue
      const response = await call(route.method, path, { token: tokens[scope] })
      assert.deepEqual(
        [response.status, await errorCode(response)],
        [403, 'TOKEN_SCOPE_TOO_SMALL'],
        `${route.method} ${path} with ${scope}`
      )
    }
  }
})

test('only what signs with a key of the node needs the scope sign, and nothing that changes the node is open to read', () => {
  assert.deepEqual(
    routeTable.filter(route => route.scope === 'sign').map(route => route.path),
    ['/v0/events', '/v0/validators/changes', '/v0/models/import', '/v0/learning/start', '/v0/learning/propose']
  )
  for (const route of routeTable) if (route.method !== 'GET') assert.ok(order.indexOf(route.scope) >= 2, route.path)
})

test('guessing is slowed by address; a right token still passes, and time forgives', () => {
  let nowMs = 0
  const authenticator = createAuthenticator(tokens, () => nowMs)
  const guess = (address: string) => () => authenticator.authorise('read', `Bearer ${'x'.repeat(43)}`, address)
  for (let count = 0; count < 20; count++) assert.throws(guess('a'), error => isBlyanError(error, 'TOKEN_INVALID'))
  assert.throws(guess('a'), error => isBlyanError(error, 'TOO_MANY_BAD_TOKENS'))
  assert.throws(guess('b'), error => isBlyanError(error, 'TOKEN_INVALID'))
  authenticator.authorise('read', `Bearer ${tokens.read}`, 'a')
  nowMs = 61_000
  assert.throws(guess('a'), error => isBlyanError(error, 'TOKEN_INVALID'))
})
