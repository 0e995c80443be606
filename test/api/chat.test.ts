import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import OpenAI from 'openai'
import type { AnswerNotes } from '../../src/api/openai-shape.ts'
import { BlyanError } from '../../src/errors/index.ts'
import { until } from '../experts/model-folder.ts'
import { errorCode, type RunningApi, startApi, tokens } from './api-fixture.ts'
import { chatRequest, rawRequest } from './raw-client.ts'

const messages = [{ role: 'user' as const, content: 'Say hello.' }]
type Noted = { blyan?: Partial<AnswerNotes> }

async function start(t: TestContext): Promise<RunningApi & { openai: OpenAI }> {
  const running = await startApi(t)
  const options = { apiKey: tokens.operate, baseURL: `${running.url}/v1`, maxRetries: 0 }
  return { ...running, openai: new OpenAI(options) }
}

test("OpenAI's client lists models and reads one", async t => {
  const { openai } = await start(t)
  const models = await openai.models.list()
  assert.deepEqual(
    models.data.map(({ id, object }) => [id, object]),
    [
      ['genesis', 'model'],
      ['half', 'model'],
      ['tiny', 'model']
    ]
  )
  assert.equal((await openai.models.retrieve('tiny')).owned_by, 'z6MkAuthor')
  await assert.rejects(openai.models.retrieve('huge'), OpenAI.NotFoundError)
})

test("OpenAI's client gets a whole answer with usage, and beside it what it took", async t => {
  const { openai, node } = await start(t)
  const answer = await openai.chat.completions.create({ model: 'tiny', messages, temperature: 0, seed: 7 })
  assert.equal(answer.choices.length, 1)
  assert.equal(answer.choices[0]!.message.content, 'Hello there.')
  assert.equal(answer.choices[0]!.finish_reason, 'stop')
  assert.deepEqual(answer.usage, { prompt_tokens: 10, completion_tokens: 12, total_tokens: 22 })
  const { blyan } = answer as Noted
  assert.deepEqual(
    [blyan?.costUnits, blyan?.coin, blyan?.tokensPerSecond, blyan?.holders?.[0]?.peerId, blyan?.plan?.why],
    ['12000', 'BLY', 40, '12D3KooWHolder', 'two experts are elsewhere']
  )
  assert.deepEqual(node.answers.asked[0]!.sampling, { temperature: 0, topP: 1, seed: '7' })
})

test("OpenAI's client streams: text as it is made, the plan first, the report last, usage where it is asked for", async t => {
  const { openai, node } = await start(t)
  const held = Promise.withResolvers<void>()
  const stream = await openai.chat.completions.create({
    model: 'tiny',
    messages,
    stream: true,
    stream_options: { include_usage: true }
  })
  const iterator = stream[Symbol.asyncIterator]()
  const first = (await iterator.next()).value!
  assert.equal((first as Noted).blyan?.plan?.predictedTokensPerSecond, 12.5)
  assert.equal(first.choices[0]!.delta.role, 'assistant')
  assert.equal((await iterator.next()).value!.choices[0]!.delta.content, 'Hello ')
  node.answers.gate = held.promise
  held.resolve()
  const rest = []
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) rest.push(next.value)
  assert.equal(rest.map(chunk => chunk.choices[0]?.delta.content ?? '').join(''), 'there.')
  const [report, usage] = rest.slice(-2)
  assert.deepEqual([report!.choices[0]!.finish_reason, (report as Noted).blyan?.costUnits], ['stop', '12000'])
  assert.deepEqual([usage!.choices.length, usage!.usage?.total_tokens], [0, 22])
  assert.equal(new Set([first, ...rest].map(({ id }) => id)).size, 1)
})

test('a character whose bytes come in two steps is whole in the stream', async t => {
  const { openai, node } = await start(t)
  const [bytes, half] = [new TextEncoder().encode('a€b'), 2]
  node.answers.say([bytes.subarray(0, half), bytes.subarray(half)])
  const stream = await openai.chat.completions.create({ model: 'tiny', messages, stream: true })
  const texts = []
  for await (const chunk of stream) texts.push(chunk.choices[0]?.delta.content ?? '')
  assert.deepEqual(texts.filter(Boolean), ['a', '€b'])
})

test('stop words end an answer wherever they are cut, and are not part of it', async t => {
  const { openai, node } = await start(t)
  const cases: readonly [string[], string | string[], string][] = [
    [['one EN', 'D two'], 'END', 'one '],
    [['one EN', 'TER'], ['END'], 'one ENTER'],
    [['one E'], ['END'], 'one E'],
    [['aXbY'], ['Y', 'X'], 'a'],
    [['END'], ['END'], ''],
    [['\n', '\nUser: hi'], ['\n\nUser:'], '']
  ]
  for (const [steps, stop, expected] of cases) {
    node.answers.say(steps)
    const answer = await openai.chat.completions.create({ model: 'tiny', messages, stop })
    assert.deepEqual([answer.choices[0]!.message.content, answer.choices[0]!.finish_reason], [expected, 'stop'])
  }
  node.answers.say(['on and on, END'], { endless: true })
  await openai.chat.completions.create({ model: 'tiny', messages, stop: 'END' })
  assert.equal(node.answers.open(), 0, 'what comes after the stop word is not made')
})

test('an answer ends after as many tokens as asked for, by the new and the old name, or what the context leaves', async t => {
  const { openai, node } = await start(t)
  node.answers.say(['abcd'], { endless: true })
  const asked = { model: 'tiny', messages }
  const texts = []
  for (const limit of [
    { max_tokens: 5 },
    { max_completion_tokens: 6 },
    { max_completion_tokens: 7, max_tokens: 1 },
    {}
  ]) {
    const { choices } = await openai.chat.completions.create({ ...asked, ...limit })
    texts.push([choices[0]!.message.content!.length, choices[0]!.finish_reason])
  }
  assert.deepEqual(texts, [
    [5, 'length'],
    [6, 'length'],
    [7, 'length'],
    [54, 'length']
  ])
})

test('what asks for nothing is taken, what cannot be had is refused by its name', async t => {
  const { openai, call } = await start(t)
  const harmless = {
    n: 1,
    user: 'me',
    metadata: { a: 'b' },
    store: false,
    logprobs: false,
    presence_penalty: 0,
    frequency_penalty: 0,
    logit_bias: {},
    tools: [],
    response_format: { type: 'text' as const },
    service_tier: 'auto' as const
  }
  const parts = [
    { role: 'developer' as const, content: 'Be brief.' },
    { role: 'user' as const, content: [{ type: 'text' as const, text: 'hi' }] }
  ]
  await openai.chat.completions.create({ model: 'tiny', messages: parts, ...harmless })
  await call('POST', '/v1/chat/completions', { json: { messages: parts, model: null, temperature: null, stop: null } })
  const refused: readonly [Record<string, unknown>, string, RegExp][] = [
    [{ n: 2 }, 'CHAT_FIELD_UNSUPPORTED', /"n".*one answer/],
    [{ tools: [{ type: 'function' }] }, 'CHAT_FIELD_UNSUPPORTED', /"tools"/],
    [{ response_format: { type: 'json_object' } }, 'CHAT_FIELD_UNSUPPORTED', /"response_format"/],
    [{ logprobs: true }, 'CHAT_FIELD_UNSUPPORTED', /"logprobs"/],
    [{ presence_penalty: 0.5 }, 'CHAT_FIELD_UNSUPPORTED', /"presence_penalty"/],
    [{ temprature: 1 }, 'REQUEST_INVALID', /temprature/],
    [{ temperature: 3 }, 'REQUEST_INVALID', /temperature/],
    [{ top_p: -1 }, 'REQUEST_INVALID', /top_p/],
    [{ max_tokens: 0 }, 'REQUEST_INVALID', /max_tokens/],
    [{ stop: ['x'.repeat(257)] }, 'REQUEST_INVALID', /stop/],
    [{ messages: [] }, 'REQUEST_INVALID', /messages/],
    [{ messages: [{ role: 'tool', content: 'x' }] }, 'REQUEST_INVALID', /system, developer, user, assistant/],
    [{ messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }, 'REQUEST_INVALID', /text/],
    [{ blyan: { mode: 'fast' } }, 'REQUEST_INVALID', /mode/]
  ]
  for (const [fields, code, pattern] of refused) {
    const response = await call('POST', '/v1/chat/completions', { json: { model: 'tiny', messages, ...fields } })
    const { error } = (await response.json()) as { error: Record<string, unknown> }
    assert.deepEqual([response.status, error.type, error.code], [400, 'invalid_request_error', code])
    assert.match(String(error.message), pattern)
    assert.equal(typeof error.nextStep, 'string')
  }
})

test("errors reach OpenAI's client as its own classes, with our code and a next step", async t => {
  const { openai, url, node, call } = await start(t)
  const ask = (model: string, client = openai) => client.chat.completions.create({ model, messages })
  const key = (apiKey: string): OpenAI => new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0 })
  const failed = async (asked: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> => {
    const error = await asked.then(
      () => assert.fail('it answered'),
      thrown => thrown
    )
    assert.ok(error instanceof OpenAI.APIError)
    return error
  }
  const unknown = await failed(ask('huge'))
  assert.deepEqual([unknown.constructor, unknown.code], [OpenAI.NotFoundError, 'MODEL_UNKNOWN'])
  assert.match(unknown.message, /it has genesis, half, tiny/)
  assert.equal((await failed(ask('half'))).code, 'MODEL_INCOMPLETE')
  const stranger = await failed(ask('tiny', key('nobody')))
  assert.deepEqual([stranger.constructor, stranger.type], [OpenAI.AuthenticationError, 'authentication_error'])
  assert.ok((await failed(ask('tiny', key(tokens.read)))) instanceof OpenAI.PermissionDeniedError)
  const long = [{ role: 'user' as const, content: 'word '.repeat(100) }]
  const tooLong = await failed(openai.chat.completions.create({ model: 'tiny', messages: long }))
  assert.deepEqual([tooLong.status, tooLong.code], [400, 'PROMPT_TOO_LONG'])
  const longer = [{ role: 'user' as const, content: 'word '.repeat(1000) }]
  assert.equal(
    (await failed(openai.chat.completions.create({ model: 'tiny', messages: longer }))).code,
    'PROMPT_TEXT_TOO_LONG'
  )
  const notFound = await call('GET', '/v1/nothing')
  assert.deepEqual(
    [notFound.status, ((await notFound.json()) as { error: { type: string } }).error.type],
    [404, 'not_found_error']
  )
  assert.equal(node.answers.asked.length, 0, 'nothing ran')
})

test('a failure on the way reaches the reader of a stream as an error, after the text before it', async t => {
  const { openai, node } = await start(t)
  node.answers.say(['so far'], { failure: new BlyanError('ENGINE_BUSY', { openRequests: 3 }) })
  const stream = await openai.chat.completions.create({ model: 'tiny', messages, stream: true })
  let text = ''
  await assert.rejects(
    async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ''
    },
    (error: InstanceType<typeof OpenAI.APIError>) => error.code === 'ENGINE_BUSY' && /open requests/.test(error.message)
  )
  assert.equal(text, 'so far')
  node.answers.say(['so far'], { failure: new BlyanError('ENGINE_BUSY', { openRequests: 3 }) })
  await assert.rejects(openai.chat.completions.create({ model: 'tiny', messages }), OpenAI.InternalServerError)
})

test('work stops when the client leaves: in mid-stream, while it waits for a whole answer, by closing the socket', async t => {
  const { openai, node } = await start(t)
  node.answers.say(['word '], { endless: true })
  const stream = await openai.chat.completions.create({ model: 'genesis', messages, stream: true, max_tokens: 4000 })
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content === 'word ') break
  await until(() => node.answers.open() === 0)
  const held = Promise.withResolvers<void>()
  node.answers.gate = held.promise
  const controller = new AbortController()
  const whole = openai.chat.completions.create({ model: 'genesis', messages }, { signal: controller.signal })
  const rejected = assert.rejects(whole, OpenAI.APIUserAbortError)
  await until(() => node.answers.open() === 1)
  controller.abort()
  await rejected
  await until(() => node.answers.open() === 0)
  held.resolve()
})

test('a thousand requests at once: those with a place are answered, the others get 429 and a time, none is dropped', async t => {
  const { node, url, call } = await start(t)
  node.answers.openMax = 20
  const held = Promise.withResolvers<void>()
  node.answers.gate = held.promise
  const json = { model: 'tiny', messages }
  let refusedCount = 0
  const asked = Array.from({ length: 1000 }, async () => {
    const { head } = await rawRequest(t, url, chatRequest(json))
    if (head.startsWith('HTTP/1.1 429 ') && head.includes('\r\nretry-after: 3\r\n')) refusedCount++
    return head
  })
  await until(() => refusedCount === 980, 20_000)
  const refused = await call('POST', '/v1/chat/completions', { json })
  assert.deepEqual([refused.status, await errorCode(refused)], [429, 'ANSWER_QUEUE_FULL'])
  held.resolve()
  const heads = await Promise.all(asked)
  assert.equal(heads.filter(head => head.startsWith('HTTP/1.1 200 ')).length, 20)
})

test('a prompt of 10 MB, and text that is no UTF-8, are refused by name', async t => {
  const { call, url } = await start(t)
  const huge = await call('POST', '/v1/chat/completions', {
    json: { model: 'tiny', messages: [{ role: 'user', content: 'x'.repeat(10_000_000) }] }
  })
  assert.deepEqual([huge.status, await errorCode(huge)], [413, 'INPUT_TOO_LARGE'])
  const post = (body: string | Uint8Array<ArrayBuffer>) =>
    fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${tokens.operate}`, 'content-type': 'application/json' },
      body
    })
  const cut = Buffer.from(JSON.stringify({ model: 'tiny', messages: [{ role: 'user', content: 'né' }] }))
  const broken = await post(new Uint8Array(cut.filter(byte => byte !== 0xa9)))
  assert.deepEqual([broken.status, await errorCode(broken)], [400, 'TEXT_NOT_UTF8'])
  const lone = await post('{"model":"tiny","messages":[{"role":"user","content":"\\ud800"}]}')
  assert.deepEqual([lone.status, await errorCode(lone)], [400, 'TEXT_NOT_UTF8'])
  const noJson = await post('{"model":')
  assert.deepEqual([noJson.status, await errorCode(noJson)], [400, 'REQUEST_INVALID'])
})

test('a stream that waits shows signs of life', async t => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const { call, node } = await start(t)
  const held = Promise.withResolvers<void>()
  node.answers.gate = held.promise
  const response = await call('POST', '/v1/chat/completions', { json: { model: 'tiny', messages, stream: true } })
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  assert.match((await reader.read()).value!, /^data: \{/)
  t.mock.timers.tick(10_000)
  assert.equal((await reader.read()).value, ': still here\n\n')
  held.resolve()
  let rest = ''
  for (let read = await reader.read(); !read.done; read = await reader.read()) rest += read.value
  assert.match(rest, /data: \[DONE\]\n\n$/)
})
