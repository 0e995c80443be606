import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LearningStatus, MiningLine } from '../../src/node/index.ts'
import { errorCode, startApi, tokens } from './api-fixture.ts'

const statusOf = async (answer: Response): Promise<LearningStatus> => (await answer.json()) as LearningStatus

test('learning is shown, started and stopped, and each asks for its scope', async t => {
  const { call, node } = await startApi(t)
  const before = await statusOf(await call('GET', '/v0/learning', { token: tokens.read }))
  assert.deepEqual([before.state, before.learner, before.round?.phase], ['off', null, 'training'])
  const json = { folder: '/texts', parts: ['layer0.*'], codec: 'int8', bytesMax: 1000 }
  for (const token of [null, tokens.read, tokens.operate])
    assert.ok([401, 403].includes((await call('POST', '/v0/learning/start', { json, token })).status))
  assert.deepEqual(node.learning.started, [])
  const started = await statusOf(await call('POST', '/v0/learning/start', { json }))
  assert.equal(started.learner?.folder, '/texts')
  assert.deepEqual(node.learning.started, [json])
  assert.equal((await call('POST', '/v0/learning/stop', { token: tokens.read })).status, 403)
  const answer = await call('POST', '/v0/learning/stop', { token: tokens.operate })
  const stopped = (await answer.json()) as LearningStatus & { stopped: { step: number } }
  assert.deepEqual([stopped.state, stopped.learner, stopped.stopped.step], ['off', null, 40])
})

test('what makes no sense is refused before anything is read', async t => {
  const { call, node } = await startApi(t)
  const bad = [
    {},
    { folder: 'texts' },
    { folder: '/texts', parts: [] },
    { folder: '/texts', parts: ['a b'] },
    { folder: '/texts', bytesMax: 0 },
    { folder: '/texts', bytesMax: 1.5 },
    { folder: '/texts', more: true }
  ]
  for (const json of bad) {
    const answer = await call('POST', '/v0/learning/start', { json })
    assert.deepEqual([answer.status, await errorCode(answer)], [400, 'REQUEST_INVALID'], JSON.stringify(json))
  }
  for (const json of [{ folder: '/t', parts: [] }, { folder: '/t', parts: ['x'], steps: 0 }, { folder: '/t' }])
    assert.equal((await call('POST', '/v0/learning/propose', { json })).status, 400)
  const unknown = await call('POST', '/v0/learning/start', { json: { folder: '/t', model: 'huge' } })
  assert.deepEqual([unknown.status, await errorCode(unknown)], [404, 'MODEL_UNKNOWN'])
  const codec = await call('POST', '/v0/learning/start', { json: { folder: '/t', codec: 'zip' } })
  assert.deepEqual([codec.status, await errorCode(codec)], [400, 'LEARNING_CODEC_UNKNOWN'])
  assert.deepEqual([node.learning.started.length, node.learning.proposed.length], [0, 0])
})

test('a node learns one thing at a time', async t => {
  const { call } = await startApi(t)
  await call('POST', '/v0/learning/start', { json: { folder: '/texts' } })
  const second = await call('POST', '/v0/learning/start', { json: { folder: '/more' } })
  const { error } = (await second.json()) as { error: { code: string; message: string; nextStep: string } }
  assert.deepEqual([second.status, error.code], [409, 'LEARNING_RUNNING'])
  assert.match(error.message, /\/texts/)
  assert.match(error.nextStep, /learn stop/)
})

test('the stream tells each change until its reader leaves', async t => {
  const { call, node } = await startApi(t)
  const answer = await call('GET', '/v0/learning/stream', { token: tokens.read })
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  const next = async (): Promise<LearningStatus> => {
    while (!rest.includes('\n')) rest += (await reader.read()).value ?? ''
    const [line, ...others] = rest.split('\n')
    rest = others.join('\n')
    return JSON.parse(line!) as LearningStatus
  }
  assert.equal((await next()).state, 'off')
  node.learning.set({ state: 'reading' })
  assert.equal((await next()).state, 'reading')
  node.learning.setLearner({ step: 41 })
  assert.equal((await next()).learner?.step, 41)
  await reader.cancel()
})

test('one expert is trained and proposed, line by line', async t => {
  const { call, node } = await startApi(t)
  const json = { folder: '/texts', parts: ['layer0.expert3'], steps: 7 }
  assert.equal((await call('POST', '/v0/learning/propose', { json, token: tokens.operate })).status, 403)
  const answer = await call('POST', '/v0/learning/propose', { json })
  const lines = (await answer.text())
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as MiningLine)
  assert.deepEqual(
    lines.map(({ kind }) => kind),
    ['corpus', 'step', 'step', 'trained', 'proposed', 'decided']
  )
  const { signal, ...asked } = node.learning.proposed[0]!
  assert.deepEqual(asked, json)
  assert.equal(typeof signal.aborted, 'boolean')
})

test('other versions of parts are picked for a loss, a text and a chat, and nonsense is refused', async t => {
  const { call, node } = await startApi(t)
  const text = new TextEncoder().encode('hello')
  const measured = await call('POST', '/v0/evaluate?parts=layer0.expert3%3Dbafyold,layer0.router%3Dbafyolder', {
    bytes: text
  })
  assert.equal(measured.status, 200)
  assert.deepEqual(node.picked, [{ 'layer0.expert3': 'bafyold', 'layer0.router': 'bafyolder' }])
  const generated = await call('POST', '/v0/generate', {
    json: { prompt: 'a', parts: { 'layer0.expert3': 'bafyold' } }
  })
  await generated.text()
  assert.deepEqual(node.picked[1], { 'layer0.expert3': 'bafyold' })
  const chat = { model: 'tiny', messages: [{ role: 'user', content: 'x' }], blyan: { parts: { embedding: 'bafyold' } } }
  await (await call('POST', '/v1/chat/completions', { json: chat })).text()
  assert.deepEqual(node.answers.asked[0]!.parts, { embedding: 'bafyold' })
  for (const parts of ['layer0.expert3', 'a=', '=b', 'a%20b%3Dc', 'a%3D..%2F..%2Fetc'])
    assert.equal((await call('POST', `/v0/evaluate?parts=${parts}`, { bytes: text })).status, 400, parts)
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`layer0.expert${i}`, 'bafy']))
  assert.equal((await call('POST', '/v0/generate', { json: { prompt: 'a', parts: many } })).status, 400)
})

test('candidates and corpora are listed from the state, and one that is not there is named', async t => {
  const { call } = await startApi(t)
  const json = async (path: string) => (await (await call('GET', path, { token: tokens.read })).json()) as object
  assert.deepEqual(await json('/v0/learning/candidates?limit=5'), { candidates: [] })
  assert.deepEqual(await json('/v0/learning/corpora'), { corpora: [] })
  const unknown = await call('GET', '/v0/learning/candidates/99')
  assert.deepEqual([unknown.status, await errorCode(unknown)], [404, 'CANDIDATE_UNKNOWN'])
  assert.equal((await call('GET', '/v0/learning/candidates?limit=0')).status, 400)
  assert.ok('learning' in (await json('/v0/experts/layer0.expert0')))
})
