import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { cidOfObject, rawCid, sha256 } from '../../src/codec/index.ts'
import { openReferenceBlockstore, type ReferencedLeaf } from '../../src/storage/index.ts'
import { noiseBytes, temporaryFolder } from '../tiles/support.ts'

async function openIn(t: Parameters<typeof temporaryFolder>[0], folder: string, openFilesMax = 4) {
  const blockstore = await openReferenceBlockstore({
    blocksFolder: join(folder, 'blocks'),
    tensorsFolder: join(folder, 'tensors'),
    limits: { openFilesMax }
  })
  t.after(() => blockstore.close().catch(() => {}))
  return blockstore
}

const bytes = (text: string) => new Uint8Array(Buffer.from(text))

async function put(blockstore: Awaited<ReturnType<typeof openIn>>, fileName: string, parts: Uint8Array[]) {
  const file = await blockstore.files.create()
  const leaves: ReferencedLeaf[] = []
  let offsetBytes = 0
  for (const part of parts) {
    await file.write(part, offsetBytes)
    leaves.push({ digest: sha256(part), offsetBytes, lengthBytes: part.length })
    offsetBytes += part.length
  }
  await file.commit(fileName, offsetBytes)
  const node = bytes(`node of ${fileName}`)
  const shared = { cid: cidOfObject(bytes('shared')), bytes: bytes('shared') }
  const root = { cid: cidOfObject(node), bytes: node }
  const nodes = [shared, root]
  await blockstore.registerFile({ root: root.cid, fileName, sizeBytes: offsetBytes, leaves, nodes, description: null })
  return { root: root.cid, leaves: leaves.map(leaf => leaf.digest), nodes: nodes.map(({ cid }) => cid) }
}

test('a small block is kept, read back and deleted', async t => {
  const blockstore = await openIn(t, await temporaryFolder(t))
  const cid = cidOfObject(bytes('hello'))
  await blockstore.put(cid, [bytes('hel'), bytes('lo')])
  assert.equal(await blockstore.has(cid), true)
  assert.deepEqual(await blockstore.read(cid), bytes('hello'))
  assert.deepEqual(await blockstore.read(rawCid(sha256(bytes('hello')))), bytes('hello'))
  await blockstore.delete(cid)
  assert.equal(await blockstore.has(cid), false)
  await assert.rejects(
    async () => {
      for await (const _ of blockstore.get(cid)) assert.fail('there is nothing to read')
    },
    { code: 'BLOCK_NOT_FOUND' }
  )
})

test('a block that is too large or not what its CID names is refused', async t => {
  const blockstore = await openIn(t, await temporaryFolder(t))
  const large = new Uint8Array(1024 * 1024 + 1)
  await assert.rejects(async () => blockstore.put(rawCid(sha256(large)), large), { code: 'BLOCK_TOO_LARGE' })
  await assert.rejects(async () => blockstore.put(rawCid(sha256(large)), bytes('other')), { code: 'BLOCK_INVALID' })
})

test('leaves are read from files, also more files than may be open', async t => {
  const blockstore = await openIn(t, await temporaryFolder(t), 2)
  const files = await Promise.all(
    Array.from({ length: 7 }, (_, seed) =>
      put(blockstore, `f${seed}`, [noiseBytes(1000, seed + 1), noiseBytes(10, seed + 50)])
    )
  )
  const read = await Promise.all(files.flatMap(file => file.leaves.map(digest => blockstore.read(rawCid(digest)))))
  assert.deepEqual(read[13], noiseBytes(10, 56))
  assert.ok(read.every((part, index) => part?.length === (index % 2 === 0 ? 1000 : 10)))
})

test('a leaf or node that two files share stays while one of them is there', async t => {
  const blockstore = await openIn(t, await temporaryFolder(t))
  const common = noiseBytes(500)
  const first = await put(blockstore, 'first', [common, bytes('one')])
  const second = await put(blockstore, 'second', [bytes('two'), common])
  await blockstore.removeFile(first.root, first)
  assert.deepEqual(await blockstore.read(rawCid(sha256(common))), common)
  assert.equal(await blockstore.has(first.nodes[0]!), true)
  assert.equal(await blockstore.has(first.root), false)
  await blockstore.removeFile(second.root, second)
  assert.equal(await blockstore.has(rawCid(sha256(common))), false)
  assert.equal(await blockstore.has(first.nodes[0]!), false)
  assert.deepEqual(await blockstore.files.names(), [])
})

test('pins, files and collections are there after opening again, and only one process may open', async t => {
  const folder = await temporaryFolder(t)
  const before = await openIn(t, folder)
  const file = await put(before, 'file', [bytes('leaf')])
  const bundle = bytes('bundle')
  await before.registerCollection({ root: cidOfObject(bundle), members: [file.root], description: 'm' }, bundle)
  await before.pin(file.root)
  await assert.rejects(openIn(t, folder), { code: 'STORE_LOCKED' })
  await before.close()
  const after = await openIn(t, folder)
  assert.deepEqual(after.listPins().map(String), [file.root.toString()])
  assert.deepEqual(after.keepersOf(file.root).map(String), [cidOfObject(bundle).toString()])
  assert.equal(after.registeredFile(file.root)?.fileName, 'file')
  await after.unpin(file.root)
  assert.equal(after.isPinned(file.root), false)
})

test('blocks of another room are served while its source is attached', async t => {
  const blockstore = await openIn(t, await temporaryFolder(t))
  const cid = cidOfObject(bytes('event'))
  const detach = blockstore.attachSource({
    get: async asked => (asked.equals(cid) ? bytes('event') : undefined),
    has: async asked => asked.equals(cid)
  })
  assert.equal(await blockstore.has(cid), true)
  assert.deepEqual(await blockstore.read(cid), bytes('event'))
  detach()
  assert.equal(await blockstore.has(cid), false)
})

test('a folder that cannot be written is named', async t => {
  const folder = await temporaryFolder(t)
  await writeFile(join(folder, 'tensors'), 'a file where a folder should be')
  await assert.rejects(openIn(t, folder), { code: 'DISK_FAILED' })
})
