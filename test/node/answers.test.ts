import assert from 'node:assert/strict'
import { chmod, truncate } from 'node:fs/promises'
import { test } from 'node:test'
import { isBlyanError } from '../../src/errors/index.ts'
import type { AnswerRequest, BlyanNode, RunningAnswer } from '../../src/node/index.ts'
import { startNodes, until } from './nodes-in-process.ts'
import { registerTinyModel, tinyArchitecture } from './tiny-registered-model.ts'

function request(fields: Partial<AnswerRequest> = {}): AnswerRequest {
  return {
    model: undefined,
    tokens: Uint32Array.from(new TextEncoder().encode('Who holds the experts?')),
    tokensMax: 16,
    stopTokens: [],
    sampling: { temperature: 0, topP: 1, seed: '1' },
    mode: undefined,
    signal: new AbortController().signal,
    ...fields
  }
}

async function tokensOf(answer: RunningAnswer): Promise<number[]> {
  const tokens: number[] = []
  for await (const step of answer.steps) tokens.push(...step.tokens)
  return tokens
}

async function ask(node: BlyanNode, fields: Partial<AnswerRequest> = {}): Promise<number[]> {
  return tokensOf(await node.answer(request(fields)))
}

const knowsTiny = (node: BlyanNode): boolean =>
  node.models().some(({ name, isComplete }) => name === 'tiny' && isComplete)

test('one node answers: the model of genesis, the report of it, refusals before anything runs, a cancel, a damaged file', async t => {
  const [node] = (await startNodes(t, { settings: [{ 'experts.answersMax': 1, 'experts.queueMax': 1 }] })) as [
    BlyanNode
  ]
  const [genesis] = node.models()
  assert.deepEqual(
    [genesis?.name, genesis?.isGenesis, genesis?.isComplete, genesis?.parts.length],
    ['genesis', true, true, 41]
  )
  const answer = await node.answer(request())
  assert.deepEqual([answer.model, answer.plan.mode, answer.plan.remoteExperts], ['genesis', 'standard', 0])
  assert.equal(answer.report().firstTokenMs, null)
  const tokens = await tokensOf(answer)
  assert.equal(tokens.length, 16)
  const report = answer.report()
  assert.deepEqual([report.promptTokens, report.tokens, report.costUnits, report.holders], [22, 16, '0', []])
  assert.ok(report.tokensPerSecond > 0 && report.firstTokenMs !== null && report.firstTokenMs <= report.elapsedMs)

  assert.deepEqual(await ask(node, { stopTokens: [tokens[4]!] }), tokens.slice(0, tokens.indexOf(tokens[4]!)))
  const second = await node.answer(request())
  assert.ok((second.plan.predictedTokensPerSecond ?? 0) > 0, 'after one answer the next is predicted')

  const refusals = [
    ['MODEL_UNKNOWN', { model: 'nothere' }],
    ['PROMPT_EMPTY', { tokens: new Uint32Array() }],
    ['PROMPT_TOO_LONG', { tokens: new Uint32Array(256) }],
    ['PROMPT_INVALID', { tokens: Uint32Array.of(3, 256) }]
  ] as const
  for (const [code, fields] of refusals)
    await assert.rejects(node.answer(request(fields)), error => isBlyanError(error, code), code)

  // The second answer has its place although nobody takes a step; one waits, the next is refused.
  const waits = new AbortController()
  const waiting = node.answer(request({ signal: waits.signal }))
  await new Promise(resolve => setImmediate(resolve))
  await assert.rejects(node.answer(request()), error => isBlyanError(error, 'ANSWER_QUEUE_FULL'))
  waits.abort(new Error('went away'))
  await assert.rejects(waiting, /went away/)
  for await (const _ of second.steps) break
  assert.equal(second.report().tokens, 1)

  const cancel = new AbortController()
  const cancelled = await node.answer(request({ tokensMax: 200, signal: cancel.signal }))
  let steps = 0
  await assert.rejects(async () => {
    for await (const _ of cancelled.steps) if (++steps === 3) cancel.abort(new Error('client gone'))
  })
  assert.equal(cancelled.report().tokens, steps)
  assert.equal((await node.status()).experts.answers.running, 0)
  assert.match(await node.metrics(), /^blyan_answers_total 4$/m)

  // A file that is truncated while it is mapped kills the engine; neither the node nor the answer.
  const { tensor } = genesis!.parts.find(({ part }) => part === 'layer1.attention')!
  const { path, sizeBytes } = await node.showTensor(tensor)
  await chmod(path, 0o644)
  await truncate(path, sizeBytes - 65_536)
  assert.deepEqual(await ask(node), tokens)
  assert.equal((await node.verifyTensor(tensor)).valid, true)
  assert.ok((await node.status()).experts.engine.restarts >= 1)
})

test('a registered model: a node without its experts asks those that hold them, in every mode, or fetches them', async t => {
  const settings = [
    { 'experts.priceUnits': '1000' },
    { 'experts.hold': ['none'], 'experts.serve': false },
    { 'experts.hold': ['tiny.layer0.*'] }
  ]
  const [owner, gateway, some] = (await startNodes(t, { settings })) as [BlyanNode, BlyanNode, BlyanNode]
  await assert.rejects(owner.answer(request({ model: 'tiny' })), error => isBlyanError(error, 'MODEL_UNKNOWN'))
  await registerTinyModel(owner, 'tiny')
  const [, entry] = owner.models()
  assert.deepEqual([entry?.name, entry?.isComplete, entry?.architecture], ['tiny', true, tinyArchitecture])
  assert.ok(entry?.parts.every(part => part.isHere && part.name === `tiny.${part.part}`))
  assert.equal((await owner.tokenizer('tiny')).tokenCount, 256)
  const tokens = await ask(owner, { model: 'tiny' })
  assert.equal(tokens.length, 16)
  assert.equal(
    (await owner.answer(request())).model,
    'genesis',
    'a registration changes nothing for those who name none'
  )
  await until(() => knowsTiny(gateway))
  // The third node fetches the experts its operator named, maps them and tells the gateway.
  await until(async () => (await gateway.status()).experts.holders === 2)
  assert.deepEqual(
    some
      .models()[1]!
      .parts.filter(part => part.expert !== null && part.isHere)
      .map(({ layer }) => layer),
    [0, 0, 0, 0]
  )
  const { nodeId: author, account } = await owner.status()
  let calls = 0
  for (const mode of ['distributed', 'optimised', 'secure'] as const) {
    const answer = await gateway.answer(request({ model: 'tiny', mode }))
    assert.deepEqual([answer.plan.mode, answer.plan.localExperts, answer.plan.remoteExperts], [mode, 0, 8])
    assert.ok((answer.plan.predictedTokensPerSecond ?? 0) > 0, 'predicted before it starts')
    assert.deepEqual(await tokensOf(answer), tokens)
    const { holders, costUnits } = answer.report()
    const paid = holders.find(({ peerId }) => peerId === author)
    // 1000 base units for 1000 rows.
    assert.deepEqual([paid?.costUnits, costUnits], [paid && String(paid.rows), String(paid?.rows ?? 0)])
    if (paid !== undefined) assert.equal(paid.account, account)
    calls += paid?.calls ?? 0
  }
  const { experts } = await gateway.status()
  assert.ok(calls > 0 && experts.calls.made >= calls && experts.calls.latencyMs !== null)
  assert.ok((await owner.status()).experts.calls.rowsServed > 0)

  // Whoever asks for it gets all of them home.
  const standard = await gateway.answer(request({ model: 'tiny' }))
  const { mode, localExperts, remoteExperts } = standard.plan
  assert.deepEqual([standard.model, mode, localExperts, remoteExperts], ['tiny', 'standard', 8, 0])
  assert.deepEqual(await tokensOf(standard), tokens)
  assert.ok(gateway.models()[1]!.parts.every(part => part.isHere))
})
