import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { ClassicLevel } from 'classic-level'
import fc from 'fast-check'
import { isBlyanError } from '../../src/errors/index.ts'
import {
  type Database,
  databaseFolders,
  declareReady,
  emptyStaging,
  openDatabase,
  recordName,
  tableKey,
  tableRange
} from '../../src/storage/index.ts'
import { openRecord, sealRecord } from '../../src/storage/record-checksum.ts'
import { unpackOldDataFolder } from './old-data-folder.ts'

const base = mkdtempSync(join(tmpdir(), 'blyan-database-'))
after(() => rmSync(base, { recursive: true, force: true }))
let places = 0
const newPlace = () => join(base, String(places++), 'db')

const put = (table: string, part: number | string, value: Uint8Array) => ({ key: tableKey(table, part), value })

async function allOf(database: Database, table: string): Promise<[string, string][]> {
  const found: [string, string][] = []
  for await (const [key, value] of database.range(tableRange(table)))
    found.push([Buffer.from(key).toString('hex'), Buffer.from(value).toString('hex')])
  return found
}

/** The store below, without checksums and without looking at them. */
async function rawly<T>(folder: string, work: (level: ClassicLevel<Uint8Array, Uint8Array>) => Promise<T>): Promise<T> {
  const level = new ClassicLevel<Uint8Array, Uint8Array>(folder, { keyEncoding: 'view', valueEncoding: 'view' })
  await level.open()
  try {
    return await work(level)
  } finally {
    await level.close()
  }
}

test('a sealed record gives its value back, and any bit that differs makes it damaged', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      fc.uint8Array({ maxLength: 200 }),
      fc.nat(),
      (key, value, bit) => {
        const sealed = sealRecord(key, value)
        assert.deepEqual(Buffer.from(openRecord(sealed.key, sealed.value)!), Buffer.from(value))
        const bits = (key.length + sealed.value.length) * 8
        const flipped = Buffer.concat([sealed.key, sealed.value])
        flipped[(bit % bits) >> 3]! ^= 1 << (bit & 7)
        assert.equal(openRecord(flipped.subarray(0, key.length), flipped.subarray(key.length)), undefined)
      }
    )
  )
})

test('what is written is read back, by key, by range and from the end', async () => {
  const database = await openDatabase(newPlace())
  await database.write([put('a', 1, Buffer.from('one')), put('a', 2, Buffer.alloc(0)), put('b', 1, Buffer.from('x'))], {
    durable: true
  })
  assert.equal(Buffer.from((await database.get(tableKey('a', 1)))!).toString(), 'one')
  assert.equal(database.getSync(tableKey('a', 2))!.length, 0)
  assert.equal((await allOf(database, 'a')).length, 2)
  const last: string[] = []
  for await (const [, value] of database.range({ ...tableRange('a'), reverse: true, limit: 2 }))
    last.push(Buffer.from(value).toString())
  assert.deepEqual(last, ['', 'one'])
  await database.write([{ key: tableKey('a', 1), value: undefined }], { durable: false })
  assert.equal(await database.get(tableKey('a', 1)), undefined)
  await database.close()
})

test('a flipped bit is found on every way of reading, named, and told once', async () => {
  const folder = newPlace()
  const first = await openDatabase(folder)
  await first.write([put('c', 7, Buffer.from('seven')), put('x', 'balance/z6Mk', Buffer.from('1'))], { durable: true })
  await first.close()
  await rawly(folder, async level => {
    for (const key of [tableKey('c', 7), tableKey('x', 'balance/z6Mk')]) {
      const stored = (await level.get(key))!
      stored[0]! ^= 4
      await level.put(key, stored)
    }
  })
  const database = await openDatabase(folder)
  const told: string[] = []
  database.onDamaged(key => told.push(recordName(key)))
  const isDamaged = (record: string) => (error: unknown) =>
    isBlyanError(error, 'DATABASE_RECORD_DAMAGED') && error.payload.record === record
  await assert.rejects(database.get(tableKey('c', 7)), isDamaged('commit 7'))
  assert.throws(() => database.getSync(tableKey('c', 7)), isDamaged('commit 7'))
  await assert.rejects(allOf(database, 'x'), isDamaged('state entry "balance/z6Mk"'))
  assert.deepEqual(told, ['commit 7', 'state entry "balance/z6Mk"'])
  await database.write([put('c', 7, Buffer.from('again'))], { durable: false })
  assert.equal(Buffer.from((await database.get(tableKey('c', 7)))!).toString(), 'again')
  await database.close()
})

test('a torn table file or manifest is refused by name', async () => {
  for (const pattern of [/^MANIFEST/, /^CURRENT$/]) {
    const folder = newPlace()
    const database = await openDatabase(folder)
    await database.write([put('a', 1, Buffer.from('one'))], { durable: true })
    await database.close()
    const file = readdirSync(folder).find(name => pattern.test(name))!
    truncateSync(join(folder, file), Math.min(3, statSync(join(folder, file)).size))
    await assert.rejects(openDatabase(folder), error => isBlyanError(error, 'DATABASE_DAMAGED'), file)
  }
})

test('a database of before checksums gets them on its first opening, also after being killed in the middle', async () => {
  const whole = newPlace()
  const old = join(base, 'old')
  unpackOldDataFolder(old)
  const before = await rawly(join(old, 'db'), async level => {
    const found: [string, string][] = []
    for await (const [key, value] of level.iterator())
      found.push([Buffer.from(key).toString('hex'), Buffer.from(value).toString('hex')])
    return found
  })
  assert.ok(before.length > 200)
  const migrated = await openDatabase(join(old, 'db'))
  const read = async (database: Database) =>
    (
      await Promise.all(['b', 'c', 'e', 'i', 'j', 'k', 'q', 'r', 's', 'v', 'x'].map(table => allOf(database, table)))
    ).flat()
  assert.deepEqual(await read(migrated), before)
  await migrated.close()

  // What a kill leaves: the first records are rewritten, and the note says how far.
  const { mkdir } = await import('node:fs/promises')
  await mkdir(whole, { recursive: true })
  await rawly(whole, async level => {
    const records = before.map(([key, value]) => ({ key: Buffer.from(key, 'hex'), value: Buffer.from(value, 'hex') }))
    const half = 100
    await level.batch([
      ...records.slice(0, half).map(({ key, value }) => ({ type: 'put' as const, ...sealRecord(key, value) })),
      ...records.slice(half).map(record => ({ type: 'put' as const, ...record })),
      { type: 'put' as const, key: Buffer.from('mmigrated'), value: records[half - 1]!.key }
    ])
  })
  const again = await openDatabase(whole)
  assert.deepEqual(await read(again), before)
  await again.close()
})

test('a complete database takes the place of another, whatever moment a crash leaves', async () => {
  const folder = newPlace()
  const database = await openDatabase(folder)
  await database.write([put('a', 1, Buffer.from('old'))], { durable: true })
  const build = async (ready: boolean) => {
    const staging = await openDatabase(await emptyStaging(folder))
    await staging.write([put('a', 1, Buffer.from('new'))], { durable: true })
    await staging.close()
    if (ready) await declareReady(folder)
  }
  const valueIn = async (one: Database) => Buffer.from((await one.get(tableKey('a', 1)))!).toString()

  await build(false)
  await database.close()
  const second = await openDatabase(folder)
  assert.equal(await valueIn(second), 'old', 'what was not complete is thrown away')
  await build(true)
  const reads = Array.from({ length: 20 }, () => valueIn(second))
  await second.replaceWithReady({ keepOld: true })
  assert.equal(await valueIn(second), 'new', 'in a running process')
  for (const value of await Promise.all(reads)) assert.match(value, /^(old|new)$/)
  await second.close()
  const kept = await openDatabase(databaseFolders.before(folder))
  assert.equal(await valueIn(kept), 'old', 'the one before is kept aside')
  await kept.close()

  // Killed between the two renames: there is no database, and one that is ready.
  await build(true)
  rmSync(folder, { recursive: true })
  const third = await openDatabase(folder)
  assert.equal(await valueIn(third), 'new')

  // One that is worth nothing goes, and what was put aside before stays.
  await build(true)
  await third.replaceWithReady({ keepOld: false })
  assert.equal(await valueIn(third), 'new')
  assert.ok(!existsSync(databaseFolders.staging(folder)) && existsSync(databaseFolders.before(folder)))
  await third.close()
})

test('deleting and compacting a range gives disk space back', async () => {
  const folder = newPlace()
  const database = await openDatabase(folder)
  const noise = (seed: number) =>
    Buffer.from(Array.from({ length: 4096 }, (_, i) => (Math.imul(seed + i, 2654435761) >>> 13) & 255))
  for (let batch = 0; batch < 20; batch++)
    await database.write(
      Array.from({ length: 50 }, (_, i) => put('a', batch * 50 + i, noise(batch * 50 + i))),
      { durable: false }
    )
  await database.compact(tableRange('a'))
  const sizeOf = () => readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
  const full = sizeOf()
  await database.write(
    Array.from({ length: 950 }, (_, i) => ({ key: tableKey('a', i), value: undefined })),
    { durable: true }
  )
  await database.compact(tableRange('a'))
  assert.ok(sizeOf() < full / 4, `${sizeOf()} of ${full} bytes are left`)
  assert.equal((await allOf(database, 'a')).length, 50)
  await database.close()
})

test('a data folder written by a newer version of the records is not touched', async () => {
  const folder = newPlace()
  mkdirSync(folder, { recursive: true })
  await rawly(folder, level =>
    level.put(Buffer.from('mformat'), sealRecord(Buffer.from('mformat'), Uint8Array.of(9)).value)
  )
  await assert.rejects(openDatabase(folder), error => isBlyanError(error, 'DATA_TOO_NEW'))
})
