import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { connectToDaemon } from '../../src/cli/daemon-client.ts'
import { dataFolderPaths, type NodeStatus } from '../../src/node/index.ts'
import { bin, blyan, processNetwork, scratchFolder, until } from './network-of-processes.ts'

test('a fifth node joins by one address, catches up, verifies, follows, and brings in events of its own', {
  timeout: 180_000
}, async t => {
  const network = await processNetwork(t, 4)
  await network.start(0, 1, 2, 3)
  for (let count = 0; count < 40; count++) await network.note(count % 4, `note ${count}`)
  const data = join(scratchFolder(t), 'fifth')
  const init = await blyan(['init', '--data', data, '--genesis', network.devnet.genesisFile])
  assert.equal(init.code, 0, init.stderr)
  const { addresses } = await network.status(0)
  const child = spawn(
    process.execPath,
    [bin, 'start', '--data', data, '--peer', addresses[0]!, '--listen', '/ip4/127.0.0.1/tcp/0', '--api-port', '0'],
    { stdio: 'ignore' }
  )
  t.after(() => child.kill('SIGKILL'))
  const wait = await blyan(['wait', '--for', 'ready', '--timeout', '60', '--data', data])
  assert.equal(wait.code, 0, wait.stderr)
  const fifth = await connectToDaemon(dataFolderPaths(data))
  const ownStatus = () => fifth.json<NodeStatus>({ path: '/v0/status' })
  await until('it has all events', async () => (await ownStatus()).events.final === 40)
  const { sequence } = await network.note(1, 'one more')
  await until('it follows', async () => (await ownStatus()).events.final === sequence)
  const submitted = await fifth.json<{ final: boolean; eventId: string }>({
    method: 'POST',
    path: '/v0/events',
    query: { wait: true, timeoutMs: 20_000 },
    body: { type: 'note', payload: 'from outside' },
    timeoutMs: 30_000
  })
  assert.equal(submitted.final, true)
  const shown = await blyan(['event', 'show', submitted.eventId, '--json', '--data', network.folders[3]!.path])
  assert.equal(JSON.parse(shown.stdout).final, true)
  const verified = await blyan(['chain', 'verify', '--json', '--data', data])
  assert.equal(JSON.parse(verified.stdout).valid, true, verified.stdout)
})

test('a killed validator that missed many rounds catches up by certified commits', { timeout: 180_000 }, async t => {
  const network = await processNetwork(t, 4)
  await network.start(0, 1, 2, 3)
  await network.note(0, 'first')
  await network.kill(3)
  for (let count = 0; count < 120; count++) await network.note(count % 3, `missed ${count}`)
  const { quorum } = await network.status(0)
  assert.ok(quorum.round > 100, `only round ${quorum.round}`)
  await network.start(3)
  const last = await network.note(3, 'from the one that was away')
  assert.equal(last.final, true)
  assert.deepEqual(await network.order(3), await network.order(0))
})

test('a node of another genesis is refused, with the reason on both sides and an alarm on its own', {
  timeout: 120_000
}, async t => {
  const ours = await processNetwork(t, 1)
  const theirs = await processNetwork(t, 1)
  await ours.start(0)
  const { addresses } = await ours.status(0)
  const config = join(theirs.folders[0]!.path, 'config.toml')
  const result = await blyan(['config', 'show', '--json', '--data', theirs.folders[0]!.path])
  assert.equal(result.code, 0, result.stderr)
  const child = spawn(process.execPath, [bin, 'start', '--data', theirs.folders[0]!.path, '--peer', addresses[0]!], {
    stdio: 'ignore'
  })
  t.after(() => child.kill('SIGKILL'))
  await until('the stranger alarms', async () => (await theirs.status(0)).genesisPact.alarm)
  const logOf = (folder: string) => readFileSync(join(folder, 'logs', 'node.log'), 'utf8')
  await until('both logs say why', async () =>
    [ours, theirs].every(network => logOf(network.folders[0]!.path).includes('another genesis'))
  )
  assert.equal((await ours.status(0)).peers, 0)
  assert.ok(readFileSync(config, 'utf8').length > 0)
})

for (const validators of [1, 2, 3]) {
  test(`${validators} validators make events final and say what they survive`, { timeout: 90_000 }, async t => {
    const network = await processNetwork(t, validators)
    await network.start(...Array.from({ length: validators }, (_, place) => place))
    for (let count = 0; count < 3; count++)
      assert.equal((await network.note(count % validators, `note ${count}`)).final, true)
    const { quorum } = await network.status(0)
    assert.equal(quorum.faultsTolerated, 0)
    assert.equal(quorum.needed, validators)
    assert.match(quorum.promise, validators === 1 ? /development/ : /no fault is tolerated/)
  })
}
