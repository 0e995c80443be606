import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { describeError, isBlyanError } from '../../src/errors/index.ts'
import { dataFolderPaths, openDataFolder } from '../../src/node/data-folder.ts'
import {
  createOffline,
  exportSnapshot,
  listOffline,
  moveDatabaseAside,
  restoreFile,
  verifyFile
} from '../../src/node/snapshot-work.ts'
import { unpackOldDataFolder } from '../storage/old-data-folder.ts'

const base = mkdtempSync(join(tmpdir(), 'blyan-snapshot-work-'))
after(() => rmSync(base, { recursive: true, force: true }))

function dataFolder(name: string) {
  const root = join(base, name)
  unpackOldDataFolder(root)
  return { paths: dataFolderPaths(root), genesisFile: 'genesis.json' }
}

const sizesIn = (folder: string) =>
  readdirSync(folder)
    .sort()
    .map(name => `${name} ${readFileSync(join(folder, name)).length}`)

test('a stopped node makes a snapshot, and another folder of the same network is restored from its file', async () => {
  const from = dataFolder('from')
  const made = await createOffline(from)
  assert.deepEqual([made.sequence, made.commit, made.epoch], [9, 165, 0])
  assert.deepEqual(await createOffline(from), made, 'the same again')
  const file = join(base, 'one.snapshot')
  assert.equal(await exportSnapshot(from.paths, 9, file), readFileSync(file).length)
  await assert.rejects(exportSnapshot(from.paths, 8, file), error => isBlyanError(error, 'SNAPSHOT_NONE'))
  assert.equal((await verifyFile(from, file)).id, made.id)

  const to = dataFolder('to')
  rmSync(to.paths.databaseFolder, { recursive: true })
  const untouched = [to.paths.keysFolder, to.paths.blocksFolder].map(sizesIn)
  const floor = readFileSync(to.paths.signerStateFile, 'utf8')
  const report = await restoreFile(to, file)
  assert.deepEqual([report.id, report.before], [made.id, null])
  assert.deepEqual([to.paths.keysFolder, to.paths.blocksFolder].map(sizesIn), untouched)
  assert.equal(readFileSync(to.paths.signerStateFile, 'utf8'), floor)
  assert.deepEqual(
    (await listOffline(to.paths)).map(({ id }) => id),
    [made.id]
  )
  assert.equal((await createOffline(to)).id, made.id, 'what was restored says the same')
  const again = await restoreFile(to, file)
  assert.equal(again.before, `${to.paths.databaseFolder}.before`)
  assert.equal(await moveDatabaseAside(to.paths), `${to.paths.databaseFolder}.before`)
  assert.ok(!existsSync(to.paths.databaseFolder))
  await assert.rejects(createOffline(to), error => isBlyanError(error, 'SNAPSHOT_NOT_YET'))
})

test('what cannot be restored changes nothing, and says why by code and exit status', async () => {
  const place = dataFolder('place')
  await createOffline(place)
  const file = join(base, 'good.snapshot')
  await exportSnapshot(place.paths, 9, file)
  const good = readFileSync(file)
  const bad = join(base, 'bad.snapshot')
  const before = sizesIn(place.paths.databaseFolder)
  const refusal = async (bytes: Uint8Array, of = place) => {
    writeFileSync(bad, bytes)
    const error = await restoreFile(of, bad).then(
      () => assert.fail('it was restored'),
      thrown => thrown
    )
    assert.deepEqual(sizesIn(of.paths.databaseFolder), before)
    assert.ok(!existsSync(`${of.paths.databaseFolder}.new`) && !existsSync(join(of.paths.snapshotsFolder, 'incoming')))
    const { code, exitCode } = describeError(error)
    assert.notEqual(exitCode, 0)
    return code
  }
  const flipped = (at: number) => {
    const bytes = Buffer.from(good)
    bytes[at]! ^= 1
    return bytes
  }
  assert.equal(await refusal(good.subarray(0, good.length - 10)), 'SNAPSHOT_TRUNCATED')
  assert.equal(await refusal(flipped(good.length - 10)), 'SNAPSHOT_DAMAGED')
  assert.equal(await refusal(Buffer.from('no snapshot at all, but long enough')), 'SNAPSHOT_INVALID')
  // A bit of the only signature; the manifest ends with it and the empty list of sets.
  const manifestEnd = 21 + good.readUInt32BE(17)
  assert.equal(await refusal(flipped(manifestEnd - 10)), 'SNAPSHOT_UNSIGNED')
  await assert.rejects(restoreFile(place, join(base, 'nowhere')), error => isBlyanError(error, 'FILE_UNREADABLE'))

  const lock = await openDataFolder(place.paths.root)
  await assert.rejects(restoreFile(place, file), error => isBlyanError(error, 'DATA_FOLDER_IN_USE'))
  await lock.release()
  const genesis = join(place.paths.root, 'genesis.json')
  writeFileSync(genesis, readFileSync(genesis, 'utf8').replace('"region": "local"', '"region": "lokal"'))
  assert.equal(await refusal(good), 'SNAPSHOT_FOREIGN')
})
