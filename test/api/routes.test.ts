import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { createApi, openApiDocument, routeTable } from '../../src/api/index.ts'
import { isBlyanError } from '../../src/errors/index.ts'
import { errorCode, startApi, tokens } from './api-fixture.ts'
import { createNodeDouble } from './node-double.ts'

test('the OpenAPI document describes exactly the routes that the server answers', async t => {
  const { api, call } = await startApi(t)
  const document = (await (await call('GET', '/v0/openapi.json')).json()) as {
    paths: Record<string, Record<string, unknown>>
  }
  const described = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map(method => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`)
  )
  assert.deepEqual(described.sort(), [...api.routes()].sort())
  assert.deepEqual(document, JSON.parse(JSON.stringify(openApiDocument(routeTable))))
})

test('many signed events in one request get an answer each, in their order, and a refusal is no failure of the others', async t => {
  const { call } = await startApi(t)
  const right = Buffer.alloc(80, 1).toString('base64')
  const wrong = Buffer.alloc(10).toString('base64')
  const answer = await call('POST', '/v0/events?wait=false', { json: { signedEvents: [right, wrong, right] } })
  assert.equal(answer.status, 200)
  const { events } = (await answer.json()) as { events: { eventId?: string; error?: { code: string } }[] }
  assert.equal(events.length, 3)
  assert.equal(typeof events[0]!.eventId, 'string')
  assert.equal(events[1]!.error!.code, 'EVENT_INVALID')
  assert.equal(typeof events[2]!.eventId, 'string')
  assert.notEqual(events[0]!.eventId, events[2]!.eventId)
  const bad = [[], ['?'], ['AAA'], ['AA=A'], ['A A='], new Array(513).fill(right), right]
  for (const signedEvents of bad)
    assert.equal(
      (await call('POST', '/v0/events', { json: { signedEvents } })).status,
      400,
      JSON.stringify(signedEvents)
    )
})

test('probes need no token and tell the reasons', async t => {
  const { call, node } = await startApi(t)
  assert.equal((await call('GET', '/livez', { token: null })).status, 200)
  assert.equal((await call('GET', '/readyz', { token: null })).status, 200)
  node.ready = false
  const response = await call('GET', '/readyz', { token: null })
  assert.equal(response.status, 503)
  assert.deepEqual(await response.json(), { ready: false, reasons: ['it is syncing'], degraded: [] })
})

test('a network that goes on without a full quorum is ready, says what it lacks, and answers as degraded', async t => {
  const { call, node } = await startApi(t)
  node.lacks = ['v2']
  const ready = await call('GET', '/readyz', { token: null })
  assert.deepEqual([ready.status, await ready.json()], [200, { ready: true, reasons: [], degraded: ['v2'] }])
  const answer = await call('POST', '/v0/events', { json: { type: 'note', payload: 'hello' } })
  const { final, finality, missing } = (await answer.json()) as Record<string, unknown>
  assert.deepEqual([answer.status, final, finality, missing], [200, false, 'degraded', ['v2']])
})

test('status, peers, metrics and health answer', async t => {
  const { call } = await startApi(t)
  assert.equal(((await (await call('GET', '/v0/status')).json()) as { schema: string }).schema, 'blyan.status/1')
  assert.equal(((await (await call('GET', '/v0/peers')).json()) as { peers: unknown[] }).peers.length, 1)
  assert.match(await (await call('GET', '/metrics')).text(), /^blyan_round 3$/m)
  const health = (await (await call('GET', '/health')).json()) as Record<string, unknown>
  assert.deepEqual([health.status, typeof health.load, typeof health.latency], ['ok', 'object', 'object'])
})

test('an event goes in as text, as bytes or as an object, and comes back', async t => {
  const { call, node } = await startApi(t)
  const submit = (json: unknown) => call('POST', '/v0/events?wait=true&timeoutMs=1000', { json })
  assert.equal((await submit({ type: 'note', payload: 'hello' })).status, 200)
  assert.equal((await submit({ type: 'note', payload: { base64: 'AAEC/w==' } })).status, 200)
  assert.equal((await submit({ type: 'structured', payload: { a: 1 } })).status, 200)
  const payloads = node.submitted.map(request =>
    'payload' in request ? Buffer.from(request.payload).toString('hex') : ''
  )
  assert.deepEqual(payloads, [Buffer.from('hello').toString('hex'), '000102ff', Buffer.from('{"a":1}').toString('hex')])
  assert.equal(((await (await call('GET', '/v0/events/event0')).json()) as { payload: string }).payload, 'hello')
  const lines = (await (await call('GET', '/v0/events?from=1&limit=1')).text()).trim().split('\n')
  assert.deepEqual(
    lines.map(line => (JSON.parse(line) as { eventId: string }).eventId),
    ['event1']
  )
  assert.equal((await (await call('GET', '/v0/events/event0/proof')).arrayBuffer()).byteLength, 3)
})

test('what makes no sense is refused with its code, never with a stack', async t => {
  const { call, url } = await startApi(t)
  const cases: readonly [string, string, { json?: unknown; bytes?: Uint8Array }, number, string][] = [
    ['GET', '/nothing', {}, 404, 'ROUTE_UNKNOWN'],
    ['GET', '/v0/events?limit=0', {}, 400, 'REQUEST_INVALID'],
    ['GET', '/v0/events?limit=99999999999', {}, 400, 'REQUEST_INVALID'],
    ['GET', '/v0/events?loudly=1', {}, 400, 'REQUEST_INVALID'],
    ['GET', '/v0/events/..%2F..%2Fetc', {}, 400, 'REQUEST_INVALID'],
    ['GET', '/v0/chains/E/blocks', {}, 400, 'REQUEST_INVALID'],
    ['POST', '/v0/events', { json: { type: 'note', payload: 'x', more: 1 } }, 400, 'REQUEST_INVALID'],
    ['POST', '/v0/events', { json: { type: 'nonsense', payload: 'x' } }, 400, 'REQUEST_INVALID'],
    ['POST', '/v0/events', { json: { type: 'note', payload: 'x'.repeat(5 << 20) } }, 413, 'INPUT_TOO_LARGE'],
    ['POST', '/v0/evaluate', { bytes: new Uint8Array((1 << 20) + 1) }, 413, 'INPUT_TOO_LARGE'],
    ['POST', '/v0/tensors?format=exe', { bytes: new Uint8Array(4) }, 400, 'REQUEST_INVALID'],
    ['POST', '/v0/tensors?format=npy', { bytes: new Uint8Array(1 << 20).fill(0xff) }, 400, 'REQUEST_INVALID'],
    ['PUT', '/v0/log-level', { json: { component: 'nobody', level: 'info' } }, 400, 'REQUEST_INVALID'],
    ['GET', '/v0/tensors/unknown', {}, 400, 'CID_INVALID']
  ]
  for (const [method, path, options, status, code] of cases) {
    const response = await call(method, path, options)
    const text = await response.clone().text()
    assert.deepEqual([response.status, await errorCode(response)], [status, code], `${method} ${path}`)
    assert.doesNotMatch(text, /\bat .+:\d+:\d+/)
  }
  const broken = await fetch(`${url}/v0/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tokens.sign}`, 'content-type': 'application/json' },
    body: '{"type":'
  })
  assert.deepEqual([broken.status, await errorCode(broken)], [400, 'REQUEST_INVALID'])
})

test('a tensor is streamed in and out, pinned and checked', async t => {
  const { call, node } = await startApi(t)
  const file = new Uint8Array(3 << 20).map((_, index) => index % 251)
  const put = (await (await call('POST', '/v0/tensors?format=npy&name=mine', { bytes: file })).json()) as {
    cid: string
    sizeBytes: number
  }
  assert.equal(put.sizeBytes, file.length)
  const got = await call('GET', `/v0/tensors/${put.cid}/file`)
  assert.equal(got.headers.get('content-length'), String(file.length))
  assert.deepEqual(new Uint8Array(await got.arrayBuffer()), file)
  assert.equal((await call('PUT', `/v0/tensors/${put.cid}/pin`)).status, 200)
  assert.equal(node.pinned.has(put.cid), true)
  assert.equal((await call('DELETE', `/v0/tensors/${put.cid}/pin`)).status, 200)
  assert.equal(node.pinned.has(put.cid), false)
  for (const action of ['verify', 'fetch'])
    assert.equal((await call('POST', `/v0/tensors/${put.cid}/${action}`)).status, 200)
})

test('an answer streams byte by byte and keeps characters whole', async t => {
  const { call } = await startApi(t)
  const text = await (await call('POST', '/v0/generate', { json: { prompt: 'é!' } })).text()
  const parts = [...text.matchAll(/^event: part\ndata: (.+)$/gm)].map(
    match => JSON.parse(match[1]!) as { text: string }
  )
  assert.deepEqual(
    parts.map(part => part.text),
    ['', 'é', '!']
  )
  assert.match(text, /event: done\ndata: \{"bytes":3/)
})

test('the stream tells status and events, and ends when the API stops', async t => {
  const { api, call } = await startApi(t)
  const response = await call('GET', '/v0/stream')
  assert.equal(response.headers.get('content-type'), 'text/event-stream')
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  while (!text.includes('event: event')) text += (await reader.read()).value ?? ''
  assert.match(text, /^event: status\ndata: \{"schema"/)
  await api.stop()
  assert.equal((await reader.read()).done, true)
})

test('a request to stop is answered before the daemon is told', async t => {
  const { call, stopsAsked } = await startApi(t)
  const response = await call('POST', '/v0/stop', { token: tokens.operate })
  assert.equal(response.status, 202)
  await response.text()
  await new Promise(resolve => setTimeout(resolve, 20))
  assert.equal(stopsAsked(), 1)
})

test('a taken port is named', async t => {
  const squatter = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => squatter.once('listening', resolve))
  t.after(() => squatter.close())
  const { port } = squatter.address() as { port: number }
  const quiet = { error: () => {}, warn: () => {}, debug: () => {} }
  const api = createApi({ node: createNodeDouble(), tokens, logger: quiet, onStop: () => {} })
  await assert.rejects(
    api.start({ host: '127.0.0.1', port }),
    error => isBlyanError(error, 'API_PORT_TAKEN') && error.message.includes(String(port))
  )
})

test('changes of the validator set go in as they are asked for, and need the token that may sign', async t => {
  const { call, node } = await startApi(t)
  const ask = (json: unknown, token = tokens.sign) => call('POST', '/v0/validators/changes', { json, token })
  const key = 'z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'
  for (const change of [
    { change: 'join', name: 'x', origin: 'o', region: 'r' },
    { change: 'approve', validator: key },
    { change: 'leave' },
    { change: 'rotate', key: 'validator-2' },
    { change: 'withdraw', what: 'remove', validator: key }
  ])
    assert.equal((await ask(change)).status, 200, change.change)
  assert.deepEqual(
    node.submitted.map(request => 'type' in request && request.type),
    ['validator-join', 'validator-approve', 'validator-leave', 'validator-rotate', 'validator-withdraw']
  )
  for (const bad of [
    { change: 'grow' },
    { change: 'approve' },
    { change: 'rotate', key: 'node' },
    { change: 'leave', x: 1 }
  ])
    assert.equal(await errorCode(await ask(bad)), 'REQUEST_INVALID')
  assert.equal(await errorCode(await ask({ change: 'leave' }, tokens.operate)), 'TOKEN_SCOPE_TOO_SMALL')
})

test('validators and offences are read by anyone who may read', async t => {
  const { call } = await startApi(t)
  const view = (await (await call('GET', '/v0/validators', { token: tokens.read })).json()) as { epoch: number }
  assert.equal(view.epoch, 2)
  const lines = (await (await call('GET', '/v0/evidence', { token: tokens.read })).text()).trim().split('\n')
  assert.deepEqual(
    lines.map(line => (JSON.parse(line) as { round: number }).round),
    [9]
  )
})
