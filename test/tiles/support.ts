import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { createIpfs, openReferenceBlockstore, type ReferenceBlockstore } from '../../src/storage/index.ts'
import { createTensorStore, type FetchBlock, type TensorLimits, type TensorStore } from '../../src/tiles/index.ts'

export type OpenStore = {
  readonly folder: string
  readonly blockstore: ReferenceBlockstore
  readonly tensors: TensorStore
  close(): Promise<void>
}

/** A folder that goes away with the test. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'blyan-tensors-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A tensor store with its blockstore, closed with the test. */
export async function openStore(
  t: TestContext,
  options: { folder?: string; fetchBlock?: FetchBlock; limits?: Partial<TensorLimits> } = {}
): Promise<OpenStore> {
  const folder = options.folder ?? (await temporaryFolder(t))
  const blockstore = await openReferenceBlockstore({
    blocksFolder: join(folder, 'blocks'),
    tensorsFolder: join(folder, 'tensors')
  })
  const tensors = await createTensorStore({ blockstore, fetchBlock: options.fetchBlock, limits: options.limits })
  let isOpen = true
  const close = async () => {
    if (!isOpen) return
    isOpen = false
    await tensors.close()
    await blockstore.close()
  }
  t.after(close)
  return { folder, blockstore, tensors, close }
}

/** A tensor store on a real libp2p host on 127.0.0.1 that speaks Bitswap. */
export async function openNode(t: TestContext, limits?: Partial<TensorLimits>) {
  const libp2p = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify() }
  })
  let fetchBlock: FetchBlock = () => Promise.reject(new Error('not started'))
  const store = await openStore(t, { limits, fetchBlock: (cid, options) => fetchBlock(cid, options) })
  const ipfs = await createIpfs({ libp2p, blockstore: store.blockstore })
  fetchBlock = (cid, options) => ipfs.fetchBlock(cid, options)
  await ipfs.start()
  t.after(async () => {
    await store.tensors.close()
    await ipfs.stop()
    await libp2p.stop()
  })
  return { ...store, libp2p, ipfs }
}

export async function* streamOf(bytes: Uint8Array, chunkSizeBytes = 65536): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += chunkSizeBytes) yield bytes.subarray(start, start + chunkSizeBytes)
}

export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const chunk of chunks) parts.push(chunk)
  return new Uint8Array(Buffer.concat(parts))
}

/** Bytes that look random and are the same every time. */
export function noiseBytes(lengthBytes: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(lengthBytes / 4))
  let state = seed >>> 0 || 1
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[index] = state
  }
  return new Uint8Array(words.buffer, 0, lengthBytes)
}

/** The file NumPy writes for an array of fp32. */
export function npyFile(shape: readonly number[], data: Uint8Array, descr = '<f4'): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${tuple}, }`
  const padded = `${text.padEnd(Math.ceil((10 + text.length + 1) / 64) * 64 - 11)}\n`
  const prefix = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, padded.length & 255, padded.length >> 8])
  return new Uint8Array(Buffer.concat([prefix, Buffer.from(padded, 'latin1'), data]))
}

export function safetensorsFile(header: unknown, data: Uint8Array): Uint8Array {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  return new Uint8Array(Buffer.concat([length, text, data]))
}
