import { bytesToHex, type CanonicalValue, decodeCanonical, encodeCanonical } from '../../codec/index.ts'
import { StateTree } from './state-tree.ts'

/** What handlers read and write: named values, all of them authenticated by the state root. */
export interface StateView {
  get(key: string): CanonicalValue | undefined
  set(key: string, value: CanonicalValue): void
  delete(key: string): void
}

const valueBytesMax = 64 * 1024

/** What entries were when the memory began, of those that changed since; undefined for one that was not there. */
export type StateMemory = ReadonlyMap<string, Uint8Array | undefined>

/** A value that was set and not encoded yet. */
type Unwritten = { readonly value: CanonicalValue }

/** The whole state in memory, with the changes since they were last taken and a way back for an event that fails. */
export class State implements StateView {
  readonly #entries = new Map<string, Uint8Array>()
  /** Decoded values of what was read or written; never changed in place. */
  readonly #values = new Map<string, CanonicalValue>()
  /** Keys whose value is newer than their entry: what changes with every event is encoded once, when its bytes are asked for. */
  readonly #unwritten = new Set<string>()
  readonly #tree = new StateTree()
  /** Keys whose change the tree has not seen: a key that changes often costs the tree once a checkpoint. */
  readonly #stale = new Set<string>()
  #changes = new Map<string, Uint8Array | undefined>()
  #isTrying = false
  #undo: Map<string, Uint8Array | Unwritten | undefined> | undefined
  readonly #memories = new Set<Map<string, Uint8Array | undefined>>()

  constructor(entries: Iterable<readonly [string, Uint8Array]> = []) {
    for (const [key, value] of entries) {
      this.#entries.set(key, value)
      this.#tree.set(key, value)
    }
  }

  get size(): number {
    this.#writeAll()
    return this.#entries.size
  }

  entries(): IterableIterator<[string, Uint8Array]> {
    this.#writeAll()
    return this.#entries.entries()
  }

  bytesOf(key: string): Uint8Array | undefined {
    if (this.#unwritten.has(key)) this.#write(key)
    return this.#entries.get(key)
  }

  setBytes(key: string, bytes: Uint8Array): void {
    this.#note(key)
    this.#values.delete(key)
    this.#unwritten.delete(key)
    this.#put(key, bytes)
  }

  /** Begins to note what changes, so that the state of this moment can be told later (snapshots). */
  remember(): StateMemory {
    const memory = new Map<string, Uint8Array | undefined>()
    this.#memories.add(memory)
    return memory
  }

  forget(memory: StateMemory): void {
    this.#memories.delete(memory as Map<string, Uint8Array | undefined>)
  }

  get(key: string): CanonicalValue | undefined {
    const known = this.#values.get(key)
    if (known !== undefined) return known
    const bytes = this.#entries.get(key)
    if (bytes === undefined) return undefined
    const value = decodeCanonical(bytes, { sizeBytesMax: valueBytesMax })
    this.#values.set(key, value)
    return value
  }

  set(key: string, value: CanonicalValue): void {
    this.#note(key)
    this.#values.set(key, value)
    this.#unwritten.add(key)
  }

  delete(key: string): void {
    this.#note(key)
    this.#values.delete(key)
    this.#unwritten.delete(key)
    this.#put(key, undefined)
  }

  /** Runs `what`; when it throws, everything it wrote is undone and the error comes back as a value. */
  attempt<T>(
    what: () => T
  ): { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown } {
    this.#isTrying = true
    try {
      return { ok: true, value: what() }
    } catch (error) {
      for (const [key, before] of this.#undo ?? []) this.#restore(key, before)
      return { ok: false, error }
    } finally {
      this.#isTrying = false
      this.#undo = undefined
    }
  }

  /** SHA-256 in hex over everything. */
  root(): string {
    this.#writeAll()
    for (const key of this.#stale) this.#tree.set(key, this.#entries.get(key))
    this.#stale.clear()
    return bytesToHex(this.#tree.root())
  }

  takeChanges(): ReadonlyMap<string, Uint8Array | undefined> {
    this.#writeAll()
    const changes = this.#changes
    this.#changes = new Map()
    return changes
  }

  /** What is there before a change, for the way back and for those who remember. */
  #note(key: string): void {
    if (this.#isTrying) {
      this.#undo ??= new Map()
      if (!this.#undo.has(key))
        this.#undo.set(key, this.#unwritten.has(key) ? { value: this.#values.get(key)! } : this.#entries.get(key))
    }
    for (const memory of this.#memories) if (!memory.has(key)) memory.set(key, this.bytesOf(key))
  }

  #restore(key: string, before: Uint8Array | Unwritten | undefined): void {
    if (before !== undefined && 'value' in before) {
      this.#values.set(key, before.value)
      this.#unwritten.add(key)
      return
    }
    this.#values.delete(key)
    this.#unwritten.delete(key)
    if (this.#entries.get(key) !== before) this.#put(key, before)
  }

  #writeAll(): void {
    for (const key of this.#unwritten) this.#put(key, encodeCanonical(this.#values.get(key)!))
    this.#unwritten.clear()
  }

  #write(key: string): void {
    this.#put(key, encodeCanonical(this.#values.get(key)!))
    this.#unwritten.delete(key)
  }

  #put(key: string, bytes: Uint8Array | undefined): void {
    if (bytes === undefined) this.#entries.delete(key)
    else this.#entries.set(key, bytes)
    this.#stale.add(key)
    this.#changes.set(key, bytes)
  }
}
