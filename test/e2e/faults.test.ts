import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { assertAgreement, Load } from './agreement.ts'
import { FaultyNetwork, namespaceCommand } from './faulty-network.ts'

// CI runs a few. The long form: E2E_ROUNDS=20 E2E_STOP_MS=60000 node --test test/e2e/faults.test.ts
const rounds = Number(process.env.E2E_ROUNDS ?? '2')
const stopMs = Number(process.env.E2E_STOP_MS ?? '4000')
/** Where the proxy draws jitter and losses from; the processes keep their own time. */
const seed = Number(process.env.E2E_SEED ?? '1')
const timeout = 180_000 + rounds * 60_000 + 2 * stopMs
const all = [0, 1, 2, 3] as const
const diskBytes = 64 << 20

test('links that split, fall silent one way, flap and lose: whoever has a quorum goes on, and all agree', {
  timeout
}, async t => {
  const network = await faultyNetwork(t)
  await network.start(...all)
  const load = new Load(network)
  await load.goesOn('finality on good links', all)

  await network.separate([3], 'held')
  await load.goesOn('finality without a minority of one', [0, 1, 2])
  await network.heal()
  await load.goesOn('the minority is back', all)

  await network.silence(2)
  await load.goesOn('finality while one hears and is not heard', [0, 1, 3])
  await network.heal()
  await load.goesOn('the silent one is back', all)

  await network.separate([0, 1], 'cut')
  // What had arrived before the cut may still become final.
  await pause(500)
  const lengths = () => Promise.all(all.map(async place => (await network.order(place)).length))
  const before = await lengths()
  await pause(1000)
  assert.deepEqual(await lengths(), before, 'two of four made something final')
  await network.heal()
  await load.goesOn('both halves are one again', all)

  for (let round = 0; round < 2 * rounds; round++) {
    await network.separate([round % 4], round % 2 === 0 ? 'held' : 'cut')
    await pause(300)
    await network.heal()
    await pause(150)
  }
  await load.goesOn('finality after flapping', all)

  await network.changeAll({ delayMs: 50, jitterMs: 10, lossRate: 0.01, retransmitMs: 200 })
  await load.goesOn('finality over links of 50 ms that lose segments', all, 2 * rounds)
  await assertAgreement(t, network, load)
})

test('validators stopped, killed again and again, and all at once: what was final stays, nobody signs twice', {
  timeout
}, async t => {
  const network = await faultyNetwork(t)
  await network.start(...all)
  const load = new Load(network)
  await load.goesOn('finality', all)

  await network.signal(1, 'SIGSTOP')
  const stoppedAtMs = performance.now()
  await load.goesOn('finality with one stopped', [0, 2, 3])
  await pause(stopMs - (performance.now() - stoppedAtMs))
  await network.signal(1, 'SIGCONT')
  await load.goesOn('the stopped one goes on', all)

  for (let round = 0; round < rounds; round++) {
    const [first, second] = [round % 4, (round + 1) % 4]
    await network.kill(first)
    await load.goesOn(
      'finality with one dead',
      all.filter(place => place !== first)
    )
    await network.kill(second)
    await network.start(first, second)
    await load.goesOn('finality after two have started again', all)
  }

  // As when the power goes.
  await network.kill(...all)
  await network.start(...all)
  await load.goesOn('finality after the power is back', all)
  await assertAgreement(t, network, load)
})

test('a full disk stops its node with a clear error; with room again it goes on, and nothing is lost', {
  timeout,
  skip: namespaceCommand() === undefined && 'a small disk takes a mount namespace, which this machine does not allow'
}, async t => {
  const network = await faultyNetwork(t)
  await network.configure(3, { 'storage.minimumFreeBytes': 4 << 20 })
  await network.limitDisk(3, diskBytes)
  await network.start(...all)
  const load = new Load(network)
  await load.goesOn('finality', all)

  await network.fillDisk(3, 64 << 10)
  const full = await network.ended(3)
  assert.equal(full.code, 1, full.output)
  assert.match(full.output, /DISK_FULL/)
  assert.match(full.output, /disk/)
  await load.goesOn('finality without it', [0, 1, 2])

  await network.launch(3)
  const refused = await network.ended(3)
  assert.equal(refused.code, 1, refused.output)
  assert.match(refused.output, /DISK_SPACE_LOW|DISK_FULL/)

  await network.freeDisk(3)
  await network.start(3)
  await load.goesOn('it is back', all)
  await assertAgreement(t, network, load)
})

async function faultyNetwork(t: TestContext): Promise<FaultyNetwork> {
  const root = mkdtempSync(join(tmpdir(), 'blyan-faults-'))
  let network: FaultyNetwork | undefined
  t.after(async () => {
    await network?.close()
    rmSync(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
  })
  network = await FaultyNetwork.open({ root, validators: 4, seed, namespaces: process.env.E2E_LOOPBACK === undefined })
  t.diagnostic(
    network.hasNamespaces
      ? 'each node in a network namespace of its own: only the proxy joins them'
      : 'no namespaces here: nodes on loopback, joined by the proxy'
  )
  return network
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, Math.max(0, ms)))
}
