import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { EventView, NodeStatus } from '../../src/node/index.ts'
import { blyan, type ProcessNetwork, processNetwork, until } from './network-of-processes.ts'

const shortWaitMs = 3000

test('three validators: two go on without finality, one alone stops, and all of it turns final when they are back', {
  timeout: 240_000
}, async t => {
  const network = await processNetwork(t, 3, 0, { degraded: 'crash', checkpointIntervalMs: 20, gcDepthRounds: 8 })
  await network.start(0, 1, 2)
  await untilMode(network, 'final', [0, 1, 2])
  const whole = await network.note(0, 'all three')
  assert.deepEqual([whole.final, whole.finality, whole.missing], [true, 'final', []])

  await network.kill(2)
  await untilMode(network, 'degraded', [0, 1])
  const told = await blyan(
    ['event', 'submit', '--type', 'note', '--payload', '-', '--json', '--data', network.folders[0]!.path],
    { input: 'two of three' }
  )
  const document = JSON.parse(told.stdout) as { eventId: string; final: boolean; finality: string; missing: string[] }
  assert.deepEqual([told.code, document.final, document.finality, document.missing], [0, false, 'degraded', ['node-2']])
  const degraded = [document.eventId]
  // Enough rounds that the third finds no vertices left to fetch: it has to follow what the two have signed.
  for (let count = 0; count < 14; count++) {
    const note = await network.note(count % 2, `degraded ${count}`)
    assert.deepEqual([note.final, note.finality], [false, 'degraded'])
    degraded.push(note.eventId)
  }
  for (const eventId of degraded) assert.deepEqual(await finalityOf(network, 0, eventId), ['degraded', false])
  assert.deepEqual(await finalityOf(network, 1, whole.eventId), ['final', true])
  assertTellsDegraded(await network.status(0), degraded.length)
  assert.equal((await readyz(network, 0)).status, 200)
  const stream = await finalsOf(t, network, 0)

  await network.kill(1)
  await untilMode(network, 'stopped', [0])
  const alone = await network.status(0)
  assert.deepEqual([alone.state, alone.ready, alone.quorum.missing], ['degraded', false, ['node-1', 'node-2']])
  assert.match(alone.reasons.join(), /ordering has stopped.*node-1 and node-2 missing/)
  assert.equal((await readyz(network, 0)).status, 503)
  const commits = alone.quorum.commits
  await assert.rejects(network.note(0, 'nobody hears it', shortWaitMs), { code: 'NOT_FINAL_IN_TIME' })
  assert.equal((await network.status(0)).quorum.commits, commits)

  network.launch(1)
  await untilMode(network, 'degraded', [0, 1])
  degraded.push((await network.note(1, 'two again')).eventId)
  await network.start(2)
  await untilMode(network, 'final', [0, 1, 2])
  assert.equal((await network.note(2, 'three again')).final, true)
  await until('the degraded events are final at all three', async () => {
    const found = await Promise.all(
      [0, 1, 2].flatMap(place => degraded.map(eventId => finalityOf(network, place, eventId)))
    )
    return found.every(([finality]) => finality === 'final')
  })
  const orders = await Promise.all([0, 1, 2].map(place => network.order(place)))
  assert.deepEqual(orders[1], orders[0])
  assert.deepEqual(orders[2], orders[0])
  // What was said to be degraded is what became final, in the same places, and the one that nobody heard is there too.
  assert.equal(orders[0]!.length, degraded.length + 3)
  await until('the stream has told the events again as final', async () =>
    degraded.every(eventId => stream.has(eventId))
  )

  const healed = await network.status(0)
  assert.deepEqual([healed.state, healed.ready, healed.events.degraded, healed.reasons], ['ready', true, 0, []])
  const kinds = healed.transitions.map(transition => transition.kind)
  const steps = kinds.filter(kind => kind.startsWith('quorum-')).slice(-4)
  assert.deepEqual(steps, ['quorum-degraded', 'quorum-stopped', 'quorum-degraded', 'quorum-final'])
  await assertMetricsTell(network)
})

async function assertMetricsTell(network: ProcessNetwork): Promise<void> {
  const answer = await (await network.daemon(0)).bytes({ path: '/metrics' })
  let text = ''
  for await (const chunk of answer) text += chunk
  assert.match(text, /^blyan_quorum_finalises 1$/m)
  assert.match(text, /^blyan_events_degraded 0$/m)
  assert.match(text, /^blyan_transitions_total\{kind="quorum-stopped"\} 1$/m)
  assert.match(text, /^blyan_transitions_total\{kind="member-lost"\} [2-9]$/m)
}

function assertTellsDegraded(status: NodeStatus, count: number): void {
  const { state, ready, reasons, quorum, events } = status
  assert.deepEqual([state, ready, quorum.mode, quorum.missing], ['degraded', true, 'degraded', ['node-2']])
  assert.deepEqual([quorum.needed, quorum.orderingNeeded, quorum.connected], [3, 2, 2])
  assert.deepEqual([events.final, events.degraded], [1, count])
  assert.deepEqual(reasons, ['events are degraded until confirmed by node-2'])
}

function untilMode(network: ProcessNetwork, mode: string, places: readonly number[]): Promise<void> {
  return until(`mode ${mode} at nodes ${places.join(', ')}`, async () => {
    const found = await Promise.all(places.map(place => network.status(place)))
    return found.every(({ quorum }) => quorum.mode === mode)
  })
}

async function finalityOf(network: ProcessNetwork, place: number, eventId: string): Promise<[string, boolean]> {
  const { finality, final } = await (await network.daemon(place)).json<EventView>({ path: `/v0/events/${eventId}` })
  return [finality, final]
}

async function readyz(network: ProcessNetwork, place: number): Promise<{ status: number }> {
  const answer = await (await network.daemon(place)).bytes({ path: '/readyz' }).catch(() => undefined)
  answer?.destroy()
  return { status: answer?.statusCode ?? 503 }
}

/** Ids that a node's stream tells as final from now on. */
async function finalsOf(t: TestContext, network: ProcessNetwork, place: number): Promise<Set<string>> {
  const finals = new Set<string>()
  const stream = await (await network.daemon(place)).bytes({ path: '/v0/stream', timeoutMs: 120_000 })
  t.after(() => stream.destroy())
  let rest = ''
  stream.setEncoding('utf8').on('data', chunk => {
    const lines = `${rest}${chunk}`.split('\n')
    rest = lines.pop()!
    for (const line of lines) {
      if (!line.startsWith('data: ') || !line.includes('"finality":"final"')) continue
      finals.add((JSON.parse(line.slice(6)) as { eventId: string }).eventId)
    }
  })
  stream.on('error', () => {})
  return finals
}
