import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { connectToDaemon, type DaemonClient } from '../../src/cli/daemon-client.ts'
import {
  dataFolderPaths,
  type NodeStatus,
  type SubmittedEvent,
  type ValidatorChange,
  type ValidatorsView
} from '../../src/node/index.ts'
import { bin, blyan, processNetwork, scratchFolder, until } from './network-of-processes.ts'

const daemonOf = (folder: string): Promise<DaemonClient> => connectToDaemon(dataFolderPaths(folder))
const viewOf = async (folder: string): Promise<ValidatorsView> =>
  (await daemonOf(folder)).json<ValidatorsView>({ path: '/v0/validators' })

async function change(folder: string, body: ValidatorChange): Promise<void> {
  await (await daemonOf(folder)).json<SubmittedEvent>({
    method: 'POST',
    path: '/v0/validators/changes',
    query: { wait: true, timeoutMs: 20_000 },
    body,
    timeoutMs: 25_000
  })
}

async function submit(folder: string, type: string, payload: unknown): Promise<SubmittedEvent> {
  const daemon = await daemonOf(folder)
  return daemon.json<SubmittedEvent>({
    method: 'POST',
    path: '/v0/events',
    query: { wait: true, timeoutMs: 20_000 },
    body: { type, payload },
    timeoutMs: 25_000
  })
}

const note = (folder: string, text: string): Promise<SubmittedEvent> => submit(folder, 'note', text)

test('a fifth joins with its stake, one leaves, one rotates its key: finality goes on in each epoch, and genesis proves the last', {
  timeout: 600_000
}, async t => {
  const network = await processNetwork(t, 4, 0, { epochMs: 200 })
  await network.start(0, 1, 2, 3)
  const folders = network.folders.map(folder => folder.path)
  const fifth = join(scratchFolder(t), 'fifth')
  const { addresses } = await network.status(0)
  const init = await blyan(['init', '--data', fifth, '--genesis', network.devnet.genesisFile, '--role', 'validator'])
  assert.equal(init.code, 0, init.stderr)
  const flags = ['--peer', addresses[0]!, '--listen', '/ip4/127.0.0.1/tcp/0', '--api-port', '0']
  let child: ChildProcess
  const startFifth = async (...more: string[]): Promise<void> => {
    child = spawn(process.execPath, [bin, 'start', '--data', fifth, ...flags, ...more], { stdio: 'ignore' })
    t.after(() => child.kill('SIGKILL'))
    const wait = await blyan(['wait', '--for', 'ready', '--timeout', '60', '--data', fifth])
    assert.equal(wait.code, 0, wait.stderr)
  }
  const inEpoch = (epoch: number, where: readonly string[]): Promise<void> =>
    until(`epoch ${epoch} everywhere`, async () => {
      const views = await Promise.all(where.map(viewOf))
      return views.every(view => view.epoch === epoch)
    }).catch(async error => {
      for (const folder of where) {
        const status = await (await daemonOf(folder)).json({ path: '/v0/status' }).catch(String)
        t.diagnostic(JSON.stringify(status))
      }
      throw error
    })

  const foreign = await blyan(['start', '--data', fifth, ...flags])
  assert.equal(foreign.code, 3)
  assert.match(foreign.stderr, /not in the validator set/)

  await startFifth('--candidate')
  const { account } = await (await daemonOf(fifth)).json<NodeStatus>({ path: '/v0/status' })
  await submit(folders[0]!, 'transfer', { to: account, amount: (20_000n * 10n ** 9n).toString() })
  const joined = await blyan(['validator', 'join', '--name', 'fifth', '--commission', '2.5', '--json', '--data', fifth])
  assert.equal(joined.code, 0, joined.stdout)
  await assert.rejects(change(fifth, { change: 'join', name: 'again' }), /OPERATOR_ALREADY/)
  await assert.rejects(change(folders[2]!, { change: 'approve', validator: account }), { code: 'VALIDATORS_BY_STAKE' })
  const staked = await blyan(['stake', '10000', '--json', '--data', fifth])
  assert.equal(staked.code, 0, staked.stdout)
  await inEpoch(1, [...folders, fifth])
  const own = (await viewOf(folders[1]!)).operators.find(operator => operator.name === 'fifth')
  assert.deepEqual(
    [own?.operator, own?.stake, own?.commissionBasisPoints, own?.isMember],
    [account, (10_000n * 10n ** 9n).toString(), 250, true]
  )
  assert.equal((await note(fifth, 'from the fifth, now a validator')).final, true)

  await change(folders[3]!, { change: 'leave' })
  await inEpoch(2, [...folders, fifth])
  assert.deepEqual(
    (await viewOf(fifth)).members.map(member => member.name),
    ['node-0', 'node-1', 'node-2', 'fifth']
  )
  assert.equal((await note(folders[3]!, 'from the one that left')).final, true)

  // One is away while the next epoch begins; with one of four gone the new key's votes are needed.
  await network.stop(1)
  const here = [folders[0]!, folders[2]!, folders[3]!, fifth]
  const before = (await viewOf(folders[0]!)).members[0]!.key
  const rotated = await blyan(['keys', 'rotate', 'validator', '--json', '--data', folders[0]!], { timeoutMs: 90_000 })
  assert.equal(rotated.code, 0, rotated.stdout + rotated.stderr)
  assert.equal(JSON.parse(rotated.stdout).inUse, true)
  await inEpoch(3, here)
  assert.notEqual((await viewOf(fifth)).members[0]!.key, before)

  const last = await note(folders[0]!, 'in epoch 3')
  assert.equal(last.final, true)
  const proof = join(scratchFolder(t), 'event.proof')
  await until('the event is proved', async () => {
    const written = await blyan(['event', 'proof', last.eventId, '-o', proof, '--data', fifth])
    return written.code === 0
  })
  const verified = await blyan(['event', 'verify', proof, '--genesis', network.devnet.genesisFile, '--json'])
  const verdict = JSON.parse(verified.stdout)
  assert.deepEqual([verdict.valid, verdict.reason], [true, null])
  assert.ok(verdict.signers.includes('fifth') && !verdict.signers.includes('node-3'))

  // Both come back with what their disks say of the epochs, and nobody has to be told again.
  child!.kill('SIGKILL')
  await new Promise(resolve => child.once('exit', resolve))
  await network.kill(0)
  network.launch(0)
  network.launch(1)
  // It knows one address, and is told the others in the one greeting: by then whoever tells has to have them.
  await Promise.all([network.ready(0), network.ready(1)])
  await startFifth()
  await inEpoch(3, [...folders, fifth])
  assert.equal((await note(folders[0]!, 'after the restart')).final, true)
  assert.deepEqual(
    (await viewOf(folders[0]!)).own.map(key => [key.name, key.isMember]),
    [
      ['validator', false],
      ['validator-2', true]
    ]
  )
  const chains = await blyan(['chain', 'verify', '--json', '--data', fifth])
  assert.deepEqual([JSON.parse(chains.stdout).valid, JSON.parse(chains.stdout).reason], [true, null])
})
