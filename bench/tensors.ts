import { randomFillSync } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { type Architecture, createEngine, genesisArchitecture } from '../src/experts/index.ts'
import type { TensorPut, TensorView } from '../src/node/index.ts'
import { openReferenceBlockstore } from '../src/storage/index.ts'
import { createTensorStore, leafSizeBytes, type TensorInfo, type TensorStore } from '../src/tiles/index.ts'
import { bareMapMs, bareStreamMs, hashOnAllCoresMs } from './limits.ts'
import { type BenchNetwork, withNetwork } from './network.ts'
import { cost, type Options, plain, type Result, rate } from './report.ts'
import { withTemporaryFolder } from './temporary-folder.ts'

const megabyte = 1_000_000
const chunkBytes = 1024 * 1024
const fetchTimeoutMs = 120_000
const expertName = 'layer0.expert0'
const silent = { debug: () => {}, info: () => {}, warn: () => {} }

export function tensorsSuite(options: Options): Promise<Result[]> {
  return withTemporaryFolder(async root => {
    const architecture = largeExperts(options.quick ? 64 : 256)
    const shape = [3, architecture.width, architecture.expertWidth]
    const { results, info } = await measureImport(root, shape, options)
    results.push(...(await measureMap(join(root, 'tensors'), architecture, info, options)))
    await withNetwork({ validators: 1, learners: 1 }, async network => {
      results.push(await measureTransfer(network, shape, options))
    })
    return results
  })
}

/** One layer whose experts have about `mebibytes` each. */
function largeExperts(mebibytes: number): Architecture {
  const width = 2048
  const expertWidth = Math.round((mebibytes * 1024 * 1024) / (3 * 4 * width))
  return { ...genesisArchitecture('bench'), width, heads: 16, headWidth: 128, layers: 1, expertWidth }
}

async function measureImport(
  root: string,
  shape: readonly number[],
  { quick, note }: Options
): Promise<{ results: Result[]; info: TensorInfo }> {
  await mkdir(join(root, 'blocks'))
  const blockstore = await openReferenceBlockstore({
    blocksFolder: join(root, 'blocks'),
    tensorsFolder: join(root, 'tensors')
  })
  const store = await createTensorStore({ blockstore })
  const rates: number[] = []
  const limits: number[] = []
  let info: TensorInfo | undefined
  try {
    for (let run = -1; run < (quick ? 3 : 7); run++) {
      const file = npyFile(shape)
      note(`import of ${Math.round(file.length / megabyte)} MB`)
      const hashedMs = await hashOnAllCoresMs(file, leafSizeBytes)
      if (info !== undefined) await store.remove(info.cid)
      const startedAtMs = performance.now()
      info = await importNpy(store, file)
      if (run < 0) continue
      rates.push(mbPerSecond(file.length, performance.now() - startedAtMs))
      limits.push(mbPerSecond(file.length, hashedMs))
    }
  } finally {
    await store.close()
    await blockstore.close()
  }
  const result = rate('tensors.import', 'MB/s', rates, limits, 'SHA-256 of the same leaves, all cores')
  return { results: [result], info: info! }
}

async function importNpy(store: TensorStore, file: Uint8Array): Promise<TensorInfo> {
  return (await store.putStream({ format: 'npy', name: expertName, bytes: chunksOf(file) })).tensors[0]!
}

/** From the call until the engine can compute with it. The pages are in the system's cache for both. */
async function measureMap(
  tensorFolder: string,
  architecture: Architecture,
  info: TensorInfo,
  { quick, note }: Options
): Promise<Result[]> {
  note('tensor mapped into the engine')
  const engine = createEngine({ tensorFolder, threads: availableParallelism(), logger: silent })
  const times: number[] = []
  const limits: number[] = []
  const timesFaster: number[] = []
  const firstUses: number[] = []
  const { path, dataOffsetBytes, dataLengthBytes, shape } = info
  const part = { name: expertName, path, dataOffsetBytes, dataLengthBytes, shape, dtype: 'fp32' } as const
  const tokens = new Float32Array(architecture.width).fill(0.01)
  try {
    await engine.start()
    for (let run = -1; run < (quick ? 5 : 15); run++) {
      const limit = bareMapMs(info.path)
      const copyStartedAtMs = performance.now()
      await readFile(info.path)
      const copyMs = performance.now() - copyStartedAtMs
      const startedAtMs = performance.now()
      await engine.loadModel({ model: 'bench', architecture, parts: [part] })
      const mapMs = performance.now() - startedAtMs
      await engine.runExpert({ model: 'bench', name: expertName, tokens })
      const firstUseMs = performance.now() - startedAtMs
      await engine.release({ model: 'bench' })
      if (run < 0) continue
      times.push(mapMs)
      firstUses.push(firstUseMs)
      timesFaster.push(copyMs / mapMs)
      if (limit !== undefined) limits.push(limit)
    }
  } finally {
    await engine.stop()
  }
  return [
    cost('tensors.map', 'ms', times, limits, 'mmap of the same file and a touch of each page'),
    cost('tensors.mapToFirstResult', 'ms', firstUses, limits, 'mmap of the same file and a touch of each page'),
    plain('tensors.mapVsCopy', 'times faster than reading the file', timesFaster)
  ]
}

/** One node asks for what only the other has: fetched, verified, on disk. */
async function measureTransfer(
  { nodes }: BenchNetwork,
  shape: readonly number[],
  { quick, note }: Options
): Promise<Result> {
  const [giver, taker] = nodes
  const rates: number[] = []
  const limits: number[] = []
  for (let run = -1; run < (quick ? 3 : 7); run++) {
    const file = npyFile(shape)
    note(`${Math.round(file.length / megabyte)} MB over Bitswap`)
    const limit = await bareStreamMs(file.length)
    const { cid } = await giver!.daemon.json<TensorPut>({
      method: 'POST',
      path: '/v0/tensors',
      query: { format: 'npy', name: `bench ${run}` },
      upload: { bytes: chunksOf(file), sizeBytes: file.length },
      timeoutMs: fetchTimeoutMs
    })
    const startedAtMs = performance.now()
    const view = await taker!.daemon.json<TensorView>({
      method: 'POST',
      path: `/v0/tensors/${cid}/fetch`,
      query: { timeoutMs: fetchTimeoutMs },
      timeoutMs: fetchTimeoutMs
    })
    if (view.cid !== cid) throw new Error('another tensor came')
    if (run < 0) continue
    rates.push(mbPerSecond(file.length, performance.now() - startedAtMs))
    limits.push(mbPerSecond(file.length, limit))
  }
  return rate('tensors.ipfs', 'MB/s', rates, limits, 'bare libp2p stream between two processes')
}

/** Random fp32, so that no two runs share a leaf. */
function npyFile(shape: readonly number[]): Uint8Array<ArrayBuffer> {
  const description = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`
  const padded = `${description.padEnd(Math.ceil((10 + description.length + 1) / 64) * 64 - 11)}\n`
  const head = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, padded.length & 255, padded.length >> 8])
  const dataBytes = 4 * shape.reduce((product, extent) => product * extent, 1)
  const file = new Uint8Array(head.length + padded.length + dataBytes)
  file.set(head)
  file.set(Buffer.from(padded), head.length)
  const random = randomFillSync(new Uint8Array(chunkBytes))
  for (let start = head.length + padded.length; start < file.length; start += chunkBytes) {
    new DataView(random.buffer).setUint32(0, start)
    file.set(random.subarray(0, Math.min(chunkBytes, file.length - start)), start)
  }
  return file
}

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += chunkBytes) yield bytes.subarray(start, start + chunkBytes)
}

function mbPerSecond(bytes: number, elapsedMs: number): number {
  return (bytes / megabyte) * (1000 / elapsedMs)
}
