import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { BlyanError } from '../../src/errors/index.ts'
import { type GiftedNode, giftConsent, giftedNodes } from '../../src/ledger/index.ts'
import type { SubmitRequest, SubmittedEvent } from '../../src/node/blyan-node.ts'
import { type Config, configSchema } from '../../src/node/config-schema.ts'
import { createGiftedService, type GiftedService } from '../../src/node/gifted-service.ts'
import type { Logger } from '../../src/node/logging.ts'
import { type MachineSpeed, measureResources, measureSpeed } from '../../src/node/machine-measurement.ts'
import { ppmOfPercent } from '../../src/node/percent.ts'
import { accountOf, keyOf } from '../dag/small-network.ts'
import { bly, LedgerWorld, poor, rich } from '../ledger/ledger-world.ts'

const heartbeatMs = 60_000
const speed: MachineSpeed = { megaflops: 1000, diskWriteBytesPerSecond: 2 ** 30 }
const account = poor

function newWorld(): LedgerWorld {
  return new LedgerWorld({ parameters: { giftedHeartbeatMs: heartbeatMs.toString() } })
}

function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'blyan-gifted-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

type Machine = {
  readonly world: LedgerWorld
  readonly service: GiftedService
  readonly sent: string[]
  readonly logged: string[]
  isCaughtUp: boolean
  measured: number
  /** Lets so much time pass, for the service and the ledger, and waits until it has done or said something. */
  pass(ms: number): Promise<void>
  /** The same where it is to do nothing. */
  passQuietly(ms: number): Promise<void>
  own(): GiftedNode | undefined
}

/** The service against a real ledger, with a clock that stands still until it is told. */
function machineWith(t: TestContext, settings: Partial<Config['gifted']> = {}, coins = 200n): Machine {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const world = newWorld()
  if (coins > 0n) world.apply(rich, 'transfer', { to: accountOf(account), amount: (coins * bly).toString() })
  const sent: string[] = []
  const logged: string[] = []
  const submit = async (request: SubmitRequest): Promise<SubmittedEvent> => {
    if (!('type' in request)) throw new Error('the node signs')
    sent.push(request.type)
    const refusal = world.applyPayload(account, request.type, request.payload)
    if (refusal !== '') throw new BlyanError('EVENT_REFUSED', { eventId: 'e', sequence: 1, code: refusal })
    return {} as SubmittedEvent
  }
  const note = (level: string) => (fields: object, text: string) =>
    void logged.push(`${level}: ${(fields as { code?: string }).code ?? ''} ${text}`)
  const machine: Machine = {
    world,
    sent,
    logged,
    isCaughtUp: true,
    measured: 0,
    own: () => giftedNodes(world.state).find(node => node.account === accountOf(account)),
    pass: async ms => {
      const done = (): number => sent.length + logged.length
      const before = done()
      await machine.passQuietly(ms)
      for (const endsAtMs = Date.now() + 10_000; done() === before && Date.now() < endsAtMs; ) await turns(1)
      await turns(20)
    },
    passQuietly: async ms => {
      world.commit(ms)
      t.mock.timers.tick(ms)
      await turns(200)
    },
    service: createGiftedService({
      genesis: world.genesis,
      handlers: world.handlers,
      chains: { state: world.state },
      events: { submit },
      network: { peers: () => [] },
      keys: { node: keyOf('its peer'), account },
      settings: { ...configSchema.shape.gifted.parse({}), ...settings },
      name: 'a machine',
      folder: scratch(t),
      isCaughtUp: () => machine.isCaughtUp,
      logger: { info: note('info'), warn: note('warn'), debug: () => {} } as unknown as Logger,
      measureSpeed: async () => {
        machine.measured++
        return speed
      }
    })
  }
  machine.service.start()
  t.after(() => machine.service.stop())
  return machine
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise(resolve => setImmediate(resolve))
}

test('a gifted node registers once, then sends heartbeats, and measures its speed rarely', async t => {
  const machine = machineWith(t, {
    specialisation: 'notary',
    capacities: '7,8',
    uptimePercent: '99.5',
    sharePercent: '30'
  })
  await machine.pass(1000)
  assert.deepEqual(machine.sent, ['gifted-register'])
  const { specialisation, capacities, uptimePpm, sharePpm, name, measured } = machine.own()!
  assert.deepEqual(
    [specialisation, capacities, uptimePpm, sharePpm, name],
    ['notary', { notarizationCapacity: 7, witnessStorage: 8 }, 995_000, 300_000, 'a machine']
  )
  assert.deepEqual([measured.megaflops, measured.cores, measured.roundTripMs], [1000, availableParallelism(), null])
  for (let beat = 0; beat < 3; beat++) await machine.pass(heartbeatMs)
  assert.deepEqual(machine.sent.slice(1), ['gifted-heartbeat', 'gifted-heartbeat', 'gifted-heartbeat'])
  assert.equal(machine.measured, 1)
  assert.equal(machine.own()!.heartbeatMs, machine.world.nowMs)
})

test('a heartbeat that took long to be ordered makes the next one needless, and nothing is said of it', async t => {
  const machine = machineWith(t)
  await machine.pass(1000)
  const { measured } = machine.own()!
  await machine.pass(heartbeatMs)
  await machine.passQuietly(heartbeatMs - 1)
  assert.equal(machine.world.apply(account, 'gifted-heartbeat', { measured }), '')
  const said = machine.logged.length
  await machine.pass(1)
  await machine.pass(heartbeatMs)
  assert.deepEqual([machine.sent.length, machine.logged.length], [4, said])
  assert.equal(machine.own()!.heartbeatMs, machine.world.nowMs)
})

test('nothing is said before the node knows the state of now', async t => {
  const machine = machineWith(t)
  machine.isCaughtUp = false
  for (let look = 0; look < 5; look++) await machine.passQuietly(1000)
  assert.deepEqual([machine.sent, machine.measured], [[], 0])
  machine.isCaughtUp = true
  await machine.pass(1000)
  assert.deepEqual(machine.sent, ['gifted-register'])
})

test('a node without coins for its deposit says so once, and comes in when it has them', async t => {
  const machine = machineWith(t, {}, 1n)
  for (let attempt = 0; attempt < 4; attempt++) await machine.pass(20_000)
  assert.equal(machine.sent.length, 4)
  const warnings = machine.logged.filter(line => line.startsWith('warn'))
  assert.deepEqual([warnings.length, warnings[0]!.startsWith('warn: BALANCE_TOO_LOW')], [1, true])
  machine.world.apply(rich, 'transfer', { to: accountOf(account), amount: (200n * bly).toString() })
  await machine.pass(20_000)
  assert.notEqual(machine.own(), undefined)
})

test('who retires the node means it: it does not come back by itself', async t => {
  const machine = machineWith(t)
  await machine.pass(1000)
  assert.equal(machine.world.apply(account, 'gifted-retire', { account: accountOf(account) }), '')
  await machine.pass(heartbeatMs)
  await machine.passQuietly(heartbeatMs)
  assert.deepEqual([machine.sent, machine.own()], [['gifted-register'], undefined])
  assert.match(machine.logged.at(-1)!, /retired/)
})

test('a stop sends nothing more and retires nothing; the next start goes on with heartbeats', async t => {
  const machine = machineWith(t)
  await machine.pass(1000)
  await machine.service.stop()
  for (let beat = 0; beat < 2; beat++) await machine.passQuietly(heartbeatMs)
  assert.deepEqual(machine.sent, ['gifted-register'])
  assert.equal(machine.own()!.account, accountOf(account))
})

test('what is given of the machine is claimed, and no more than it has', async t => {
  const machine = machineWith(t, { cores: 1, memoryBytes: 2 ** 20, diskBytes: 2 ** 49 })
  await machine.pass(1000)
  const { claimed, measured } = machine.own()!
  assert.deepEqual([claimed.cores, claimed.memoryBytes], [1, 2 ** 20])
  assert.equal(claimed.megaflops, Math.floor(1000 / measured.cores))
  assert.equal(claimed.diskFreeBytes, measured.diskFreeBytes)
})

test('a node that somebody else gives shows the consent it was started with', async t => {
  const gift = { account: accountOf(account), kind: 'miner' as const, uptimePpm: 990_000, sharePpm: 0 }
  const consent = giftConsent(newWorld().genesis.digest, gift, rich)
  const agreed = machineWith(t, { account: accountOf(rich), consent })
  await agreed.pass(1000)
  assert.equal(agreed.own()!.giftedBy.account, accountOf(rich))
})

test('the real measurement finds a machine, leaves no file, and fits into a registration', async t => {
  const folder = scratch(t)
  const found = await measureSpeed(folder)
  assert.ok(found.megaflops > 0 && found.diskWriteBytesPerSecond > 0)
  assert.deepEqual(readdirSync(folder), [])
  const resources = await measureResources(folder, found, [{ latencyMs: 30.2 }, { latencyMs: null }, { latencyMs: 10 }])
  assert.deepEqual([resources.peers, resources.roundTripMs], [3, 31])
  assert.ok(resources.memoryBytes > 0 && resources.memoryBytes <= totalmem() && resources.diskFreeBytes > 0)
  const world = new LedgerWorld()
  assert.ok(world.handlers.get('gifted-heartbeat').encodePayload({ measured: resources }).length > 0)
})

test('settings of a gifted node have bounds', () => {
  const { gifted } = configSchema.shape
  const bad: Record<string, unknown>[] = [
    { uptimePercent: '101' },
    { uptimePercent: '-1' },
    { sharePercent: '99.55555' },
    { sharePercent: '' },
    { by: 'friend' },
    { specialisation: 'oracle' },
    { capacities: '1' },
    { capacities: '1,2,3' },
    { consent: 'ab' },
    { cores: -1 },
    { memoryBytes: 1.5 },
    { diskBytes: 2 ** 51 }
  ]
  for (const settings of bad) assert.equal(gifted.safeParse(settings).success, false, JSON.stringify(settings))
  assert.equal(gifted.safeParse({ uptimePercent: '100', sharePercent: '0.0001', capacities: '1,2' }).success, true)
})

test('percentages are parts per million, exactly', () => {
  const found = ['0', '100', '99.5', '0.0001', '33.3333', '7.25', '100.0'].map(ppmOfPercent)
  assert.deepEqual(found, [0, 1_000_000, 995_000, 1, 333_333, 72_500, 1_000_000])
})
