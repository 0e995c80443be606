import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ClassicLevel } from 'classic-level'
import { type ChainVerification, dataFolderPaths, type SnapshotView } from '../../src/node/index.ts'
import { tableRange } from '../../src/storage/index.ts'
import { blyan, type ProcessNetwork, processNetwork, scratchFolder, until } from './network-of-processes.ts'

// Small limits, so that a short run passes them; every node of this file is started with them.
Object.assign(process.env, {
  BLYAN_STORAGE_SNAPSHOT_EVERY_COMMITS: '50',
  BLYAN_STORAGE_STATE_SYNC_COMMITS: '100'
})

async function notes(network: ProcessNetwork, place: number, count: number, prefix: string): Promise<void> {
  for (let done = 0; done < count; done += 20)
    await Promise.all(
      Array.from({ length: Math.min(20, count - done) }, (_, i) => network.note(place, `${prefix} ${done + i}`))
    )
}

const logOf = (network: ProcessNetwork, place: number) =>
  readFileSync(join(network.folders[place]!.path, 'logs', 'console.log'), 'utf8')

async function snapshotsOf(network: ProcessNetwork, place: number): Promise<SnapshotView[]> {
  const daemon = await network.daemon(place)
  return (await daemon.json<{ snapshots: SnapshotView[] }>({ path: '/v0/snapshots' })).snapshots
}

const finalCount = async (network: ProcessNetwork, place: number) => (await network.status(place)).events.final

test('a follower and a wiped validator join by a snapshot, and a damaged node is restored from a file', async t => {
  const network = await processNetwork(t, 4, 1)
  await network.start(0, 1, 2, 3)
  for (let round = 0; round < 40 && (await network.status(0)).quorum.commits < 170; round++)
    await notes(network, round % 4, 20, `round ${round}`)
  await until('two validators offer a snapshot far above nothing', async () => {
    const newest = await Promise.all([0, 1].map(async place => (await snapshotsOf(network, place)).at(-1)))
    return newest.every(one => one !== undefined && one.commit > 100)
  })

  await t.test('a new follower takes a snapshot, and says what it lacks', async () => {
    await network.start(4)
    const wanted = await finalCount(network, 0)
    await until('the follower has everything', async () => (await finalCount(network, 4)) >= wanted)
    assert.match(logOf(network, 4), /the snapshot is installed/)
    const verdict = await (await network.daemon(4)).json<ChainVerification>({ path: '/v0/chains/verify' })
    assert.equal(verdict.reason, null)
    assert.ok(verdict.since !== null && verdict.since.commit > 100, JSON.stringify(verdict))
    const first = (await network.order(0))[0]!.split(':')[1]!
    const shown = await blyan(['event', 'show', first, '--data', network.folders[4]!.path])
    assert.match(shown.stderr, /^EVENT_PRUNED: /)
    const order = await network.order(4)
    assert.deepEqual(order, (await network.order(0)).slice(-order.length), 'what it has is the same order')
  })

  await t.test('a validator whose database is gone comes back, and votes again', async () => {
    await network.stop(3)
    const paths = dataFolderPaths(network.folders[3]!.path)
    rmSync(paths.databaseFolder, { recursive: true })
    rmSync(paths.snapshotsFolder, { recursive: true, force: true })
    await notes(network, 0, 20, 'while one is away')
    await network.start(3)
    const wanted = await finalCount(network, 0)
    await until('it has everything', async () => (await finalCount(network, 3)) >= wanted)
    assert.match(logOf(network, 3), /the snapshot is installed/)
    // Without it and another one there is no quorum: it has to take part.
    await network.stop(2)
    await network.note(3, 'through the one that came back')
  })

  await t.test('a damaged record is refused by name, and a snapshot file puts the node right', async () => {
    const folder = network.folders[2]!.path
    const file = join(scratchFolder(t), 'network.snapshot')
    const made = await blyan(['snapshot', 'create', '-o', file, '--json', '--data', network.folders[0]!.path])
    assert.equal(made.code, 0, made.stderr)
    await damageStateEntry(dataFolderPaths(folder).databaseFolder)
    const refused = await blyan(['start', '--data', folder])
    assert.notEqual(refused.code, 0)
    assert.match(refused.stderr, /^DATABASE_RECORD_DAMAGED: .*state entry "balance\//)
    const before = readdirSync(join(folder, 'keys'))
    const floor = readFileSync(dataFolderPaths(folder).signerStateFile)
    const restored = await blyan(['snapshot', 'restore', file, '--json', '--data', folder])
    assert.equal(restored.code, 0, restored.stderr)
    assert.ok(existsSync(`${dataFolderPaths(folder).databaseFolder}.before`))
    assert.deepEqual(readdirSync(join(folder, 'keys')), before)
    assert.deepEqual(readFileSync(dataFolderPaths(folder).signerStateFile), floor)
    await network.start(2)
    const { sequence } = await network.note(2, 'from the restored one')
    await until('it has executed it', async () => (await finalCount(network, 2)) >= sequence!)
  })
})

async function damageStateEntry(folder: string): Promise<void> {
  const level = new ClassicLevel<Uint8Array, Uint8Array>(folder, { keyEncoding: 'view', valueEncoding: 'view' })
  await level.open()
  const { from, to } = tableRange('x')
  for await (const [key, value] of level.iterator({ gte: from, lt: to })) {
    if (!Buffer.from(key).toString().startsWith('xbalance/')) continue
    value[1]! ^= 1
    await level.put(key, value)
    break
  }
  await level.close()
}
