import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, rename, rm, stat, statfs, utimes } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import type { Feeds } from '../model/forward.ts'
import type { ExecutableSettings } from './engine-protocol.ts'
import {
  type GraphSession,
  openExecutableGraph,
  runtimeVersion,
  type SessionSettings,
  writeExecutableGraph
} from './graph-session.ts'

/**
 * Graphs of experts as ONNX Runtime made them fast for this kind of device: optimised, with weights already in the order
 * that its kernels like, mapped from a file of their own. A folder is named by the hash of what it was built from (graph,
 * places of the tensors, which carry their CIDs, and the device), so that nothing else is ever taken for it.
 */
export interface ExecutableGraphs {
  /**
   * Opens the executable of `model`, made first where there is none, entered once. Undefined when it does not compute what
   * `plain` computes, or when there is no room for it; a wrong one is removed.
   */
  open(model: Uint8Array, weightBytes: number, threads: number, plain: GraphSession): Promise<GraphSession | undefined>
}

export function createExecutableGraphs(
  settings: SessionSettings,
  executables: ExecutableSettings,
  width: number
): ExecutableGraphs {
  return new FolderOfExecutables(settings, executables, width)
}

/** Building one holds up answers: a quarter of a second for 35 MB. */
const executableWeightBytesMax = 64 * 1024 * 1024
/** The disk belongs to the chains first. */
const keptFreeBytes = 2 * 1024 * 1024 * 1024
/** Prepacked weights beside what of the plain ones is kept. */
const sizeFactor = 2
const sampleRows = 3
/** Kernels of one device add in other orders, no more. */
const toleranceShare = 1e-5

class FolderOfExecutables implements ExecutableGraphs {
  readonly #settings: SessionSettings
  readonly #executables: ExecutableSettings
  readonly #sample: Feeds
  readonly #deviceClass: string

  constructor(settings: SessionSettings, executables: ExecutableSettings, width: number) {
    this.#settings = settings
    this.#executables = executables
    const data = Float32Array.from({ length: sampleRows * width }, (_, i) => Math.sin(i * 0.7) * (1 + (i % 3)))
    this.#sample = { tokens: { data, dimensions: [sampleRows, width] } }
    this.#deviceClass = [
      settings.provider,
      runtimeVersion,
      process.platform,
      process.arch,
      cpus()[0]?.model ?? ''
    ].join('|')
  }

  async open(
    model: Uint8Array,
    weightBytes: number,
    threads: number,
    plain: GraphSession
  ): Promise<GraphSession | undefined> {
    if (weightBytes < this.#executables.fromBytes || weightBytes > executableWeightBytesMax) return undefined
    const folder = join(this.#executables.folder, this.#nameOf(model))
    if (await isThere(folder)) {
      const found = await this.#openIfRight(folder, threads, plain)
      if (found !== undefined) return found
    }
    if (!(await this.#makeRoom(sizeFactor * weightBytes))) return undefined
    await this.#build(model, folder)
    return this.#openIfRight(folder, threads, plain)
  }

  /** Under another name until it is whole. */
  async #build(model: Uint8Array, folder: string): Promise<void> {
    const building = await mkdtemp(join(this.#executables.folder, 'building-'))
    try {
      await writeExecutableGraph(model, building, this.#settings)
      await rename(building, folder)
    } catch (error) {
      await rm(building, { recursive: true, force: true })
      throw error
    }
  }

  async #openIfRight(folder: string, threads: number, plain: GraphSession): Promise<GraphSession | undefined> {
    const session = await openExecutableGraph(folder, threads, this.#settings).catch(() => undefined)
    try {
      if (session !== undefined && (await this.#agree(session, plain))) {
        const now = new Date()
        await utimes(folder, now, now)
        return session
      }
    } catch {
      // One that cannot compute the sample is as wrong as one that computes something else.
    }
    await session?.leave()
    await rm(folder, { recursive: true, force: true })
    return undefined
  }

  async #agree(session: GraphSession, plain: GraphSession): Promise<boolean> {
    const actual = (await session.run(this.#sample)).result
    const expected = (await plain.run(this.#sample)).result!
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    return (
      actual?.length === expected.length &&
      actual.every((value, i) => Math.abs(value - expected[i]!) <= toleranceShare * largest)
    )
  }

  /** Removes those used longest ago; whoever has one mapped keeps it. */
  async #makeRoom(neededBytes: number): Promise<boolean> {
    const { folder, bytesMax } = this.#executables
    if (neededBytes > bytesMax) return false
    await mkdir(folder, { recursive: true })
    const { bavail, bsize } = await statfs(folder)
    if (bavail * bsize - neededBytes < keptFreeBytes) return false
    const found = await Promise.all((await readdir(folder)).map(name => measure(join(folder, name))))
    let usedBytes = found.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    for (const { path, sizeBytes } of found.sort((a, b) => a.usedAtMs - b.usedAtMs)) {
      if (usedBytes + neededBytes <= bytesMax) break
      await rm(path, { recursive: true, force: true })
      usedBytes -= sizeBytes
    }
    return true
  }

  #nameOf(model: Uint8Array): string {
    return createHash('sha256').update(this.#deviceClass).update('\0').update(model).digest('hex')
  }
}

async function isThere(folder: string): Promise<boolean> {
  return stat(folder).then(
    found => found.isDirectory(),
    () => false
  )
}

async function measure(path: string): Promise<{ path: string; usedAtMs: number; sizeBytes: number }> {
  const files = await readdir(path).catch(() => [])
  const sizes = await Promise.all(files.map(async file => (await stat(join(path, file))).size))
  return { path, usedAtMs: (await stat(path)).mtimeMs, sizeBytes: sizes.reduce((sum, size) => sum + size, 0) }
}
