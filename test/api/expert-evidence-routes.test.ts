import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorCode, startApi } from './api-fixture.ts'

test('evidence against holders is listed, and a number that there is not is refused by name', async t => {
  const { call } = await startApi(t)
  const list = await call('GET', '/v0/evidence/holders')
  assert.equal(list.status, 200)
  assert.deepEqual(await list.json(), [])
  const check = await call('GET', '/v0/evidence/holders/7/check')
  assert.equal(check.status, 404)
  assert.equal(await errorCode(check), 'EXPERT_EVIDENCE_UNKNOWN')
  assert.equal((await call('GET', '/v0/evidence/holders/none/check')).status, 400)
})
