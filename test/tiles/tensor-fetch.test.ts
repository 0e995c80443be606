import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { CID } from 'multiformats/cid'
import type { FetchBlock } from '../../src/tiles/index.ts'
import { collect, noiseBytes, openNode, openStore, safetensorsFile, streamOf } from './support.ts'

const run = promisify(execFile)
const mebibyte = 1024 * 1024
const tensor = (lengthBytes: number, seed = 1) => ({
  name: 'w',
  dtype: 'int8' as const,
  shape: [lengthBytes],
  data: noiseBytes(lengthBytes, seed)
})

test('a tensor comes from another node over Bitswap, byte for byte, and is on disk once', async t => {
  const [holder, asker] = [await openNode(t), await openNode(t, { leavesInFlight: 16 })]
  const there = await holder.tensors.putTensor(tensor(9 * mebibyte + 77))
  await asker.libp2p.dial(holder.libp2p.getMultiaddrs())
  const progress: number[] = []
  const here = await asker.tensors.fetchTensor(there.cid, {
    timeoutMs: 60_000,
    onProgress: (receivedBytes, totalBytes) => {
      assert.equal(totalBytes, there.sizeBytes)
      progress.push(receivedBytes)
    }
  })
  assert.equal(Buffer.compare(await readFile(here.path), await readFile(there.path)), 0)
  assert.equal(progress.at(-1), there.sizeBytes)
  assert.equal((await asker.tensors.verify(there.cid)).valid, true)
  const { stdout } = await run('du', ['-s', '--block-size=1', asker.folder])
  assert.ok(Number.parseInt(stdout, 10) < 9.8 * mebibyte, `${stdout} for 9 MiB`)
})

test('a tensor of equal leaves, and one fetched twice at once, come as well', async t => {
  const [holder, asker] = [await openNode(t), await openNode(t)]
  const zeros = { ...tensor(3 * mebibyte), data: new Uint8Array(3 * mebibyte) }
  const there = await holder.tensors.putTensor(zeros)
  await asker.libp2p.dial(holder.libp2p.getMultiaddrs())
  const fetched = await Promise.all([asker.tensors.fetch(there.cid), asker.tensors.fetch(there.cid)])
  assert.deepEqual(fetched[0], fetched[1])
  assert.equal((await asker.tensors.verify(there.cid)).valid, true)
})

test('a bundle comes with all its tensors and gives the original file', async t => {
  const [holder, asker] = [await openNode(t), await openNode(t)]
  const header = {
    a: { dtype: 'F32', shape: [5, 5], data_offsets: [0, 100] },
    b: { dtype: 'I8', shape: [300_000], data_offsets: [100, 300_100] }
  }
  const file = safetensorsFile(header, noiseBytes(300_100))
  const there = await holder.tensors.putStream({ format: 'safetensors', name: 'm', bytes: streamOf(file) })
  await asker.libp2p.dial(holder.libp2p.getMultiaddrs())
  const here = await asker.tensors.fetch(there.cid)
  assert.equal(here.kind, 'bundle')
  assert.deepEqual(await collect((await asker.tensors.export(there.cid)).bytes), file)
})

test('two tensors that share leaves come at the same time without waiting for each other', async t => {
  const [holder, asker] = [await openNode(t), await openNode(t, { stallTimeoutMs: 60_000 })]
  const data = noiseBytes(2 * mebibyte)
  const names = ['one', 'two', 'three']
  const there = await Promise.all(names.map(name => holder.tensors.putTensor({ ...tensor(data.length), name, data })))
  await asker.libp2p.dial(holder.libp2p.getMultiaddrs())
  const here = await Promise.all(there.map(({ cid }) => asker.tensors.fetchTensor(cid, { timeoutMs: 20_000 })))
  assert.deepEqual(
    here.map(({ cid }) => cid),
    there.map(({ cid }) => cid)
  )
})

test('who waits for the fetch of another caller can give up alone', async t => {
  const { asker, there } = await withHand(t, () => undefined)
  const first = asker.tensors.fetch(there.cid, { timeoutMs: 400 })
  const cancel = new AbortController()
  const second = asker.tensors.fetch(there.cid, { signal: cancel.signal })
  setTimeout(() => cancel.abort(), 20)
  await assert.rejects(second, { code: 'TENSOR_FETCH_ABORTED' })
  await assert.rejects(first, { code: 'TENSOR_FETCH_TIMEOUT' })
})

/** A store that answers another one directly, with a hand between them. */
async function withHand(
  t: Parameters<typeof openStore>[0],
  hand: (cid: CID, bytes: Uint8Array) => Uint8Array | undefined
) {
  const holder = await openStore(t)
  const there = await holder.tensors.putTensor(tensor(2 * mebibyte))
  const asked = new Map<string, number>()
  const fetchBlock: FetchBlock = async (cid, { signal }) => {
    asked.set(cid.toString(), (asked.get(cid.toString()) ?? 0) + 1)
    const bytes = await holder.blockstore.read(cid)
    const answer = bytes === undefined ? undefined : hand(cid, bytes)
    if (answer !== undefined) return answer
    return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('nobody answered'))))
  }
  const asker = await openStore(t, { fetchBlock, limits: { stallTimeoutMs: 100, tensorSizeBytesMax: 100 * mebibyte } })
  return { holder, there, asker, asked }
}

test('only what is missing is asked for again after a stall', async t => {
  let withheld = true
  const { asker, there, asked } = await withHand(t, (cid, bytes) => {
    const isFirstLeaf = cid.code === 0x55 && bytes.length === 262144 && bytes[0] !== 0x54
    if (!isFirstLeaf || !withheld) return bytes
    withheld = false
    return undefined
  })
  const info = await asker.tensors.fetchTensor(there.cid)
  assert.equal(info.sizeBytes, there.sizeBytes)
  assert.deepEqual(
    [...asked.values()].filter(times => times > 1),
    [2]
  )
})

test('what was fetched of an older version is not fetched again', async t => {
  const { holder, asker, there, asked } = await withHand(t, (_, bytes) => bytes)
  await asker.tensors.fetch(there.cid)
  const data = noiseBytes(2 * mebibyte)
  data[mebibyte]! ^= 1
  const newer = await holder.tensors.putTensor({ ...tensor(2 * mebibyte), data })
  asked.clear()
  await asker.tensors.fetch(newer.cid)
  // The root, its one tile, and the one leaf that changed.
  assert.equal(asked.size, 3)
})

for (const [what, hand] of Object.entries({
  'a wrong leaf': (cid: CID, bytes: Uint8Array) => (cid.code === 0x55 ? noiseBytes(bytes.length, 5) : bytes),
  'a truncated leaf': (cid: CID, bytes: Uint8Array) => (cid.code === 0x55 ? bytes.subarray(1) : bytes),
  'a wrong node': (cid: CID, bytes: Uint8Array) => (cid.code === 0x70 ? new Uint8Array([...bytes, 0]) : bytes),
  'far too much': () => new Uint8Array(2 * mebibyte)
})) {
  test(`a peer that sends ${what} is named as the cause, and nothing is kept`, async t => {
    const { asker, there } = await withHand(t, hand)
    await assert.rejects(asker.tensors.fetch(there.cid), { code: 'TENSOR_DATA_WRONG' })
    assert.deepEqual(await readdir(asker.blockstore.files.folder), [])
  })
}

test('a root that is no tensor is refused', async t => {
  const bytes = Buffer.from('0a080801120411aabbcc', 'hex')
  const cid = CID.parse('bafybeiccfclkdtucu6y4yc5cpr6y3yuinr67svmii46v5cfcrkp47ihehy')
  const { asker } = await withHand(t, (_, good) => good)
  const stranger = await openStore(t, { fetchBlock: async () => bytes })
  await assert.rejects(stranger.tensors.fetch(cid.toString()), { code: 'TENSOR_DATA_WRONG' })
  const raw = 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy'
  await assert.rejects(asker.tensors.fetch(raw), { code: 'TENSOR_DAG_INVALID' })
  await assert.rejects(asker.tensors.fetch('nonsense'), { code: 'CID_INVALID' })
})

test('a fetch ends in time, or when it is cancelled, or when the store closes', async t => {
  const { asker, there } = await withHand(t, (cid, bytes) => (cid.code === 0x70 ? bytes : undefined))
  await assert.rejects(asker.tensors.fetch(there.cid, { timeoutMs: 250 }), { code: 'TENSOR_FETCH_TIMEOUT' })
  const cancel = new AbortController()
  const cancelled = asker.tensors.fetch(there.cid, { signal: cancel.signal })
  setTimeout(() => cancel.abort(), 50)
  await assert.rejects(cancelled, { code: 'TENSOR_FETCH_ABORTED' })
  const closed = assert.rejects(asker.tensors.fetch(there.cid), { code: 'TENSOR_FETCH_ABORTED' })
  setTimeout(() => asker.tensors.close(), 50)
  await closed
  assert.deepEqual(await readdir(asker.blockstore.files.folder), [])
})

test('a tensor larger than allowed is refused before its data comes', async t => {
  const { holder, asked } = await withHand(t, (_, bytes) => bytes)
  const big = await holder.tensors.putTensor(tensor(mebibyte, 3))
  const fetchBlock: FetchBlock = async cid => (await holder.blockstore.read(cid))!
  const small = await openStore(t, { fetchBlock, limits: { tensorSizeBytesMax: mebibyte } })
  await assert.rejects(small.tensors.fetch(big.cid), { code: 'TENSOR_TOO_LARGE' })
  assert.equal(asked.size, 0)
})

test('bytes whose name is known come without their header, and a wrong guess costs nothing but that', async t => {
  const holder = await openStore(t)
  const there = await holder.tensors.putTensor({ ...tensor(5000), name: 'delta' })
  for (const [bytesNamed, sizes] of [
    ['delta', [5000]],
    ['update', [256 * 1024, 5000]],
    [undefined, [256 * 1024, 5000]]
  ] as const) {
    const fetched: number[] = []
    const fetchBlock: FetchBlock = async cid => {
      const bytes = (await holder.blockstore.read(cid))!
      if (bytes.length > 1000) fetched.push(bytes.length)
      return bytes
    }
    const { tensors } = await openStore(t, { fetchBlock })
    const here = await tensors.fetchTensor(there.cid, bytesNamed === undefined ? {} : { bytesNamed })
    assert.deepEqual(fetched, sizes)
    assert.equal(here.name, 'delta')
    assert.equal((await tensors.verify(there.cid)).valid, true)
    assert.equal(Buffer.compare(await readFile(here.path), await readFile(there.path)), 0)
  }
})
