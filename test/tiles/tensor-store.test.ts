import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, copyFile, open, readdir, readFile, stat, truncate, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import * as dagPb from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import { CID } from 'multiformats/cid'
import type { ReferenceBlockstore } from '../../src/storage/index.ts'
import { noiseBytes, npyFile, openStore, safetensorsFile, streamOf, temporaryFolder } from './support.ts'

const run = promisify(execFile)
const mebibyte = 1024 * 1024

const noiseTensor = (name: string, lengthBytes: number, seed = 1) => ({
  name,
  dtype: 'int8' as const,
  shape: [lengthBytes],
  data: noiseBytes(lengthBytes, seed)
})

test('what IPFS tools read below the root is the file, byte for byte', async t => {
  const { tensors, blockstore } = await openStore(t)
  const info = await tensors.putTensor(noiseTensor('w', 9 * mebibyte + 5))
  const walked = Buffer.concat(await walk(blockstore, CID.parse(info.cid)))
  assert.equal(Buffer.compare(walked, await readFile(info.path)), 0)
})

/** Reads a UnixFS file as any IPFS program would: by its links alone, checking every size on the way. */
async function walk(blockstore: ReferenceBlockstore, cid: CID): Promise<Uint8Array[]> {
  const parts: Uint8Array[] = []
  for await (const part of blockstore.get(cid)) parts.push(part)
  if (cid.code === 0x55) return parts
  const bytes = Buffer.concat(parts)
  const node = dagPb.decode(bytes)
  const file = UnixFS.unmarshal(node.Data!)
  const children = await Promise.all(node.Links.map(link => walk(blockstore, link.Hash)))
  const sizes = children.map(child => child.reduce((total, part) => total + part.length, 0))
  assert.equal(file.type, 'file')
  assert.deepEqual(sizes, file.blockSizes.map(Number))
  return children.flat()
}

test('a tensor is on disk once', async t => {
  const { folder, tensors } = await openStore(t)
  const file = npyFile([8 * mebibyte], noiseBytes(8 * mebibyte), '|i1')
  await tensors.putStream({ format: 'npy', name: 'w', bytes: streamOf(file) })
  const { stdout } = await run('du', ['-s', '--block-size=1', folder])
  const usedBytes = Number.parseInt(stdout, 10)
  assert.ok(usedBytes < 8.5 * mebibyte, `${usedBytes} bytes are used for 8 MiB`)
})

test('files are read-only and their data starts where it says', async t => {
  const { tensors } = await openStore(t)
  const tensor = noiseTensor('w', 1000)
  const info = await tensors.putTensor(tensor)
  const { mode, size } = await stat(info.path)
  assert.equal(mode & 0o777, 0o444)
  assert.equal(size, info.sizeBytes)
  const file = await readFile(info.path)
  assert.deepEqual(new Uint8Array(file.subarray(info.dataOffsetBytes)), tensor.data)
})

test('the same tensor put several times at once is one file', async t => {
  const { tensors, blockstore } = await openStore(t)
  const tensor = noiseTensor('w', 700_000)
  const infos = await Promise.all(Array.from({ length: 6 }, () => tensors.putTensor(tensor)))
  assert.equal(new Set(infos.map(info => info.cid)).size, 1)
  assert.deepEqual(await readdir(blockstore.files.folder), [`${infos[0]!.cid}.tblock`])
  assert.equal((await tensors.verify(infos[0]!.cid)).valid, true)
})

test('a changed byte on disk is found and its leaf named', async t => {
  const { tensors } = await openStore(t)
  const info = await tensors.putTensor(noiseTensor('w', 600_000))
  await chmod(info.path, 0o600)
  const handle = await open(info.path, 'r+')
  await handle.write(Buffer.from([1, 2, 3]), 0, 3, info.dataOffsetBytes + 300_000)
  await handle.close()
  const verdict = await tensors.verify(info.cid)
  assert.deepEqual(verdict, { valid: false, reason: `${info.cid}: leaf 2 differs on disk`, leavesChecked: 4 })
})

test('everything is still there after closing and opening again', async t => {
  const folder = await temporaryFolder(t)
  const before = await openStore(t, { folder })
  const info = await before.tensors.putTensor(noiseTensor('w', 1000))
  await before.tensors.pin(info.cid)
  await before.close()
  const after = await openStore(t, { folder })
  assert.deepEqual(after.tensors.info(info.cid), { ...info, pinned: true })
})

test('a half-written file is gone after a crash', async t => {
  const folder = await temporaryFolder(t)
  await (await openStore(t, { folder })).close()
  await writeFile(join(folder, 'tensors', 'left-over.part'), 'half')
  const { blockstore } = await openStore(t, { folder })
  assert.deepEqual(await readdir(blockstore.files.folder), [])
})

test('a finished file that a crash left unregistered is found again, a wrong one is not', async t => {
  const [from, folder] = [await openStore(t), await temporaryFolder(t)]
  const good = await from.tensors.putTensor(noiseTensor('good', 300_000))
  const other = await from.tensors.putTensor(noiseTensor('other', 300_000, 9))
  await (await openStore(t, { folder })).close()
  const place = (cid: string) => join(folder, 'tensors', `${cid}.tblock`)
  await copyFile(good.path, place(good.cid))
  await copyFile(good.path, place(other.cid))
  const { tensors, blockstore } = await openStore(t, { folder })
  assert.deepEqual(tensors.info(good.cid), { ...good, path: place(good.cid) })
  assert.equal((await tensors.verify(good.cid)).valid, true)
  assert.equal(tensors.info(other.cid), undefined)
  assert.deepEqual(await blockstore.files.names(), [`${good.cid}.tblock`])
})

test('a file that somebody deleted or cut is no longer listed', async t => {
  const folder = await temporaryFolder(t)
  const before = await openStore(t, { folder })
  const gone = await before.tensors.putTensor(noiseTensor('gone', 1000))
  const cut = await before.tensors.putTensor(noiseTensor('cut', 2000))
  await before.close()
  await unlink(gone.path)
  await chmod(cut.path, 0o600)
  await truncate(cut.path, 1000)
  const { tensors } = await openStore(t, { folder })
  assert.deepEqual(tensors.list(), [])
  assert.equal((await tensors.putTensor(noiseTensor('cut', 2000))).cid, cut.cid)
})

test('what is pinned or part of a bundle is not removed', async t => {
  const { tensors, blockstore } = await openStore(t)
  const header = { a: { dtype: 'I8', shape: [5], data_offsets: [0, 5] } }
  const file = safetensorsFile(header, noiseBytes(5))
  const bundle = await tensors.putStream({ format: 'safetensors', name: 'm', bytes: streamOf(file) })
  const [member] = bundle.tensors
  assert.equal(bundle.dtype, 'int8')
  await assert.rejects(tensors.remove(member!.cid), { code: 'TENSOR_IN_USE' })
  await tensors.pin(bundle.cid)
  assert.equal(tensors.info(member!.cid)?.pinned, true)
  await assert.rejects(tensors.remove(bundle.cid), { code: 'TENSOR_IN_USE' })
  await tensors.unpin(bundle.cid)
  await tensors.remove(bundle.cid)
  assert.deepEqual(tensors.list(), [])
  assert.deepEqual(await blockstore.files.names(), [])
  const blocks = []
  for await (const pair of blockstore.getAll()) blocks.push(pair.cid)
  assert.deepEqual(blocks, [])
})

test('limits on one tensor and on all of them hold, and failed imports give their share back', async t => {
  const { tensors } = await openStore(t, { limits: { tensorSizeBytesMax: 600_000, quotaBytes: 1_000_000 } })
  await assert.rejects(tensors.putTensor(noiseTensor('w', 500_000)), { code: 'TENSOR_TOO_LARGE' })
  const short = { ...noiseTensor('w', 300_000), data: noiseBytes(299_999) }
  for (let attempt = 0; attempt < 5; attempt++) {
    await assert.rejects(tensors.putTensor(short), { code: 'TENSOR_INPUT_INVALID' })
  }
  const first = await tensors.putTensor(noiseTensor('w', 300_000))
  await assert.rejects(tensors.putTensor(noiseTensor('w', 300_000, 2)), { code: 'TENSOR_QUOTA_EXCEEDED' })
  await tensors.remove(first.cid)
  await tensors.putTensor(noiseTensor('w', 300_000, 2))
})

test('a stream that breaks leaves nothing behind', async t => {
  const { tensors, blockstore } = await openStore(t)
  async function* breaking() {
    yield npyFile([1000], new Uint8Array(300), '|i1')
    throw new Error('the network went away')
  }
  const broken = tensors.putStream({ format: 'npy', name: 'w', bytes: breaking() })
  await assert.rejects(broken, { code: 'TENSOR_INPUT_INVALID', message: /network went away/ })
  assert.deepEqual(await readdir(blockstore.files.folder), [])
})

test('a full disk is named and leaves no half-written file', async t => {
  const folder = await temporaryFolder(t)
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder])
  } catch {
    t.skip('needs the right to mount a small disk')
    return
  }
  try {
    const { tensors, blockstore, close } = await openStore(t, { folder })
    await assert.rejects(tensors.putTensor(noiseTensor('w', 8 * mebibyte)), { code: 'DISK_FULL' })
    assert.deepEqual(await readdir(blockstore.files.folder), [])
    await close()
  } finally {
    await run('umount', [folder])
  }
})
