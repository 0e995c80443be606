import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorCode, startApi, tokens } from './api-fixture.ts'

const linesOf = async (answer: Response): Promise<Record<string, unknown>[]> =>
  (await answer.text())
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line))

test('an import tells its plan, how far it is, and what it made', async t => {
  const { call } = await startApi(t)
  const answer = await call('POST', '/v0/models/import', { json: { folder: '/models/tiny', name: 'mine' } })
  assert.equal(answer.headers.get('content-type')?.split(';')[0], 'application/x-ndjson')
  const lines = await linesOf(answer)
  assert.deepEqual([...new Set(lines.map(({ kind }) => kind))], ['plan', 'progress', 'done'])
  assert.equal(lines[0]!.precision, 'int8')
  assert.equal(lines.at(-1)!.model, 'mine')
})

test('a folder that cannot be imported is refused with its code, and a relative one before it is looked at', async t => {
  const { call } = await startApi(t)
  const refused = await call('POST', '/v0/models/import', { json: { folder: '/empty' } })
  assert.equal(refused.status, 400)
  assert.equal(await errorCode(refused), 'CHECKPOINT_UNREADABLE')
  for (const body of [{ folder: 'models/tiny' }, { folder: '/m', precision: 'int4' }, { folder: '/m', more: 1 }, {}]) {
    const answer = await call('POST', '/v0/models/import', { json: body })
    assert.equal(answer.status, 400)
    assert.equal(await errorCode(answer), 'REQUEST_INVALID')
  }
})

test('importing needs the token that may sign, listing only the one that may read', async t => {
  const { call } = await startApi(t)
  const refused = await call('POST', '/v0/models/import', { json: { folder: '/models/tiny' }, token: tokens.operate })
  assert.equal(refused.status, 403)
  const answer = await call('GET', '/v0/models', { token: tokens.read })
  const { models } = (await answer.json()) as { models: Record<string, unknown>[] }
  assert.ok(models.length > 0)
  for (const model of models) {
    assert.equal(typeof model.partsOnChain, 'number')
    assert.equal(typeof model.isComplete, 'boolean')
    assert.ok(!('parts' in model))
  }
})
