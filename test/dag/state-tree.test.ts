import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { State } from '../../src/dag/core/state.ts'
import { StateTree } from '../../src/dag/core/state-tree.ts'

const sha256 = (...parts: Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest()
const bytesOf = (text: string) => new TextEncoder().encode(text)

/** The definition, without a tree: sort into halves by the next bit until one key is left. */
function reference(entries: ReadonlyMap<string, string>): Buffer {
  const leaves = [...entries].map(([key, value]) => {
    const path = sha256(bytesOf(key))
    return { path, hash: sha256(Buffer.of(0), path, sha256(bytesOf(value))) }
  })
  const root = (group: typeof leaves, depth: number): Buffer => {
    if (group.length === 0) return Buffer.alloc(32)
    if (group.length === 1) return group[0]!.hash
    const bit = (path: Buffer) => (path[depth >> 3]! >> (7 - (depth % 8))) & 1
    const half = (side: number) =>
      root(
        group.filter(({ path }) => bit(path) === side),
        depth + 1
      )
    return sha256(Buffer.of(1), half(0), half(1))
  }
  return root(leaves, 0)
}

const arbitraryChange = fc.record({
  key: fc.nat(30).map(String),
  value: fc.option(fc.nat(3).map(String), { nil: undefined, freq: 3 })
})

test('after any changes the root is that of the definition', () => {
  fc.assert(
    fc.property(fc.array(arbitraryChange, { maxLength: 80 }), changes => {
      const tree = new StateTree()
      const entries = new Map<string, string>()
      for (const [place, { key, value }] of changes.entries()) {
        tree.set(key, value === undefined ? undefined : bytesOf(value))
        if (value === undefined) entries.delete(key)
        else entries.set(key, value)
        if (place % 7 === 0) tree.root()
      }
      assert.deepEqual(Buffer.from(tree.root()), reference(entries))
    })
  )
})

test('the root depends on what is there, not on how it came there', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(500), { minLength: 1 }), fc.nat(), (keys, seed) => {
      const [one, other] = [new StateTree(), new StateTree()]
      for (const key of keys) one.set(String(key), bytesOf('x'))
      for (const key of [...keys].sort((a, b) => ((a * 31 + seed) % 97) - ((b * 31 + seed) % 97)))
        other.set(String(key), bytesOf('x'))
      assert.deepEqual(one.root(), other.root())
    })
  )
})

test('deleting what was added restores the root', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(100)), fc.uniqueArray(fc.integer({ min: 101, max: 200 })), (kept, added) => {
      const tree = new StateTree()
      for (const key of kept) tree.set(String(key), bytesOf('x'))
      const before = tree.root()
      for (const key of added) tree.set(String(key), bytesOf('y'))
      for (const key of added) tree.set(String(key), undefined)
      assert.deepEqual(tree.root(), before)
    })
  )
})

test('an attempt that fails leaves no trace, one that succeeds leaves its changes', () => {
  fc.assert(
    fc.property(fc.array(arbitraryChange), fc.array(arbitraryChange), fc.boolean(), (before, during, fails) => {
      const change = (state: State, { key, value }: { key: string; value: string | undefined }) =>
        value === undefined ? state.delete(key) : state.set(key, value)
      const [state, plain] = [new State(), new State()]
      for (const one of before) for (const each of [state, plain]) change(each, one)
      const outcome = state.attempt(() => {
        for (const one of during) change(state, one)
        if (fails) throw new Error('no')
      })
      if (!fails) for (const one of during) change(plain, one)
      assert.equal(outcome.ok, !fails)
      assert.equal(state.root(), plain.root())
      assert.equal(state.size, plain.size)
    })
  )
})

test('the changes that are taken are what is needed to build the same state again', () => {
  const state = new State()
  state.set('a', 1)
  state.set('b', [1, 2])
  state.delete('a')
  const stored = [...state.takeChanges()].filter(([, value]) => value !== undefined) as [string, Uint8Array][]
  assert.equal(new State(stored).root(), state.root())
  assert.equal(state.takeChanges().size, 0)
})
