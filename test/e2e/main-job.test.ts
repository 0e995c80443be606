import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { blyan, processNetwork, scratchFolder } from './network-of-processes.ts'

test('devnet up --once has the network learn from the text it is given and exits 0', { timeout: 300_000 }, async t => {
  const folder = scratchFolder(t)
  const input = join(folder, 'texts')
  mkdirSync(input)
  writeFileSync(join(input, 'a.txt'), 'To own a model together, people must be able to check it. '.repeat(20))
  const { code, stdout, stderr } = await blyan(
    ['devnet', 'up', '--once', '--input', input, '--data', join(folder, 'net'), '--json'],
    { timeoutMs: 290_000 }
  )
  assert.equal(code, 0, stderr)
  const result = JSON.parse(stdout)
  assert.equal(result.refused.code, 'PART_NOT_MEASURED')
  assert.ok(Math.abs(result.lossNatsPerByte - Math.log(256)) < 0.5, `loss ${result.lossNatsPerByte}`)
  assert.notEqual(result.lossNatsPerByte, result.genesisLossNatsPerByte)
  const { learning } = result
  assert.ok(learning.afterNatsPerByte < learning.beforeNatsPerByte - 0.05, JSON.stringify(learning))
  assert.ok(learning.heldOut.afterNats < learning.heldOut.beforeNats - 0.05)
  assert.ok(learning.expertEvents.length > 0 && learning.acceptedDeltas > 0)
  assert.ok(learning.expertEvents.some(({ event }: { event: string }) => event === result.event))
  assert.ok(result.proofSigners >= 3)
})

test('devnet up --once fails with a clear error when there is no text', { timeout: 60_000 }, async t => {
  const folder = scratchFolder(t)
  writeFileSync(join(folder, 'empty.txt'), '')
  const missing = await blyan(['devnet', 'up', '--once', '--input', join(folder, 'nowhere')])
  assert.notEqual(missing.code, 0)
  assert.match(missing.stderr, /no such file/)
  const empty = await blyan(['devnet', 'up', '--once', '--input', join(folder, 'empty.txt')])
  assert.equal(empty.code, 2)
})

test('a transfer becomes the same block on chain C at every node', { timeout: 120_000 }, async t => {
  const network = await processNetwork(t, 2)
  await network.start(0, 1)
  const transfer = await (await network.daemon(0)).json<{ block: string }>({
    method: 'POST',
    path: '/v0/events',
    query: { wait: true, timeoutMs: 20_000 },
    body: { type: 'transfer', payload: { to: (await network.status(1)).account, amount: '5' } }
  })
  const shown = await blyan(['chain', 'show', 'C', '--json', '--data', network.folders[1]!.path])
  const block = JSON.parse(shown.stdout.trim().split('\n')[0]!)
  assert.equal(block.cid, transfer.block)
  assert.equal(block.chain_id, 'C')
  assert.equal(block.index, 0)
})
