import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertNobodySignedTwice } from './agreement.ts'
import { processNetwork, until } from './network-of-processes.ts'

// CI runs a few; `E2E_KILLS=200 node --test test/e2e/kills.test.ts` is the long form.
const kills = Number(process.env.E2E_KILLS ?? '4')

test(`${kills} kills of validators under load: finality goes on, one order everywhere, nobody signs twice`, {
  timeout: 120_000 + kills * 30_000
}, async t => {
  const network = await processNetwork(t, 4)
  await network.start(0, 1, 2, 3)
  const final: string[] = []
  let down = -1
  let isLoading = true
  let failures = 0
  const load = async (place: number): Promise<void> => {
    for (let count = 0; isLoading; count++) {
      if (place === down) {
        await new Promise(resolve => setTimeout(resolve, 50))
        continue
      }
      try {
        const { eventId, final: isFinal } = await network.note(place, `note ${count} of node ${place}`, 30_000)
        if (isFinal) final.push(eventId)
      } catch {
        // The node was killed with the request open: only what was announced as final counts.
        failures++
        await new Promise(resolve => setTimeout(resolve, 50))
      }
    }
  }
  const loads = [0, 1, 2, 3].map(load)
  try {
    for (let round = 0; round < kills; round++) {
      const victim = round % 4
      await new Promise(resolve => setTimeout(resolve, 100 + ((round * 137) % 400)))
      down = victim
      await network.kill(victim)
      const before = final.length
      await until('finality with one of four dead', async () => final.length > before + 2)
      network.launch(victim)
      await network.ready(victim)
      down = -1
    }
  } finally {
    isLoading = false
  }
  await Promise.all(loads)
  t.diagnostic(`${final.length} events final, ${failures} requests cut off`)
  await until('all nodes have the same events', async () => {
    const lengths = (await Promise.all([0, 1, 2, 3].map(place => network.order(place)))).map(order => order.length)
    return lengths.every(length => length === lengths[0])
  }).catch(async error => {
    for (const place of [0, 1, 2, 3]) t.diagnostic(JSON.stringify(await network.status(place).catch(String)))
    throw error
  })
  const orders = await Promise.all([0, 1, 2, 3].map(place => network.order(place)))
  for (const order of orders) assert.deepEqual(order, orders[0])
  const ordered = new Set(orders[0]!.map(line => line.split(':')[1]))
  for (const eventId of final)
    assert.ok(ordered.has(eventId), `${eventId} was announced as final and is not in the order`)
  await network.stopAll()
  await assertNobodySignedTwice(network.folders.map(({ path }) => path))
})

test('a network that is stopped and started again goes on from its disks, and verifies', {
  timeout: 120_000
}, async t => {
  const network = await processNetwork(t, 4)
  await network.start(0, 1, 2, 3)
  for (let count = 0; count < 8; count++) assert.equal((await network.note(count % 4, `before ${count}`)).final, true)
  await network.stopAll()
  await network.start(0, 1, 2, 3)
  const { sequence } = await network.note(2, 'after')
  assert.equal(sequence, 9)
  for (const place of [0, 1, 2, 3]) {
    const verdict = await (await network.daemon(place)).json<{ valid: boolean; reason: string | null; events: number }>(
      { path: '/v0/chains/verify', timeoutMs: 60_000 }
    )
    assert.deepEqual({ valid: verdict.valid, reason: verdict.reason }, { valid: true, reason: null })
  }
})
