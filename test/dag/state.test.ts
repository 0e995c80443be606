import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type CanonicalValue, decodeCanonical, encodeCanonical } from '../../src/codec/index.ts'
import { State, type StateMemory } from '../../src/dag/core/state.ts'

type Model = Map<string, CanonicalValue>
type Change = { readonly key: string; readonly value: number | string | null | undefined }

const keys = ['a', 'b', 'c', 'd']
const change: fc.Arbitrary<Change> = fc.record({
  key: fc.constantFrom(...keys),
  value: fc.oneof(fc.constant(undefined), fc.constant(null), fc.nat(5), fc.constantFrom('x', 'y'))
})
const step = fc.oneof(
  fc.record({ kind: fc.constant('change' as const), change }),
  fc.record({
    kind: fc.constant('attempt' as const),
    changes: fc.array(change, { maxLength: 5 }),
    fails: fc.boolean(),
    looks: fc.boolean()
  }),
  fc.record({ kind: fc.constantFrom('root', 'take', 'bytes', 'remember') })
)

function applied(target: State | Model, { key, value }: Change): void {
  if (value === undefined) target.delete(key)
  else target.set(key, value)
}

const rootOf = (model: Model): string => {
  const state = new State()
  for (const [key, value] of model) state.set(key, value)
  return state.root()
}
const decoded = (bytes: Uint8Array | undefined): CanonicalValue | undefined =>
  bytes === undefined ? undefined : decodeCanonical(bytes, { sizeBytesMax: 64 })

test('whenever bytes are made, the state is that of its changes, failed attempts undone', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), steps => {
      const state = new State()
      const stored = new Map<string, Uint8Array>()
      let model: Model = new Map()
      let remembered: { readonly memory: StateMemory; readonly model: Model } | undefined
      for (const one of steps) {
        if (one.kind === 'change') for (const target of [state, model]) applied(target, one.change)
        else if (one.kind === 'attempt') {
          const before = new Map(model)
          const outcome = state.attempt(() => {
            for (const each of one.changes) {
              for (const target of [state, model]) applied(target, each)
              if (one.looks) assert.deepEqual(decoded(state.bytesOf(each.key)), model.get(each.key))
            }
            if (one.fails) throw new Error('no')
          })
          assert.equal(outcome.ok, !one.fails)
          if (one.fails) model = before
        } else if (one.kind === 'root') assert.equal(state.root(), rootOf(model))
        else if (one.kind === 'bytes')
          for (const key of keys) assert.deepEqual(decoded(state.bytesOf(key)), model.get(key))
        else if (one.kind === 'remember') remembered = { memory: state.remember(), model: new Map(model) }
        else
          for (const [key, bytes] of state.takeChanges())
            if (bytes === undefined) stored.delete(key)
            else stored.set(key, bytes)
        for (const key of keys) assert.deepEqual(state.get(key), model.get(key))
      }
      assert.equal(state.size, model.size)
      for (const [key, bytes] of state.takeChanges())
        if (bytes === undefined) stored.delete(key)
        else stored.set(key, bytes)
      assert.equal(new State(stored).root(), rootOf(model))
      if (remembered === undefined) return
      const { memory, model: expected } = remembered
      for (const key of keys) {
        const before = memory.has(key) ? decoded(memory.get(key)) : model.get(key)
        assert.deepEqual(before, expected.get(key))
      }
    }),
    { numRuns: 400 }
  )
})

test('a value that is set again and again is encoded once', () => {
  const state = new State()
  let encoded = 0
  const counted = {
    get units() {
      encoded++
      return '5'
    }
  }
  for (let time = 0; time < 10; time++) state.set('pool', counted)
  assert.equal(encoded, 0)
  assert.deepEqual(state.bytesOf('pool'), encodeCanonical({ units: '5' }))
  state.root()
  state.takeChanges()
  assert.equal(encoded, 1)
})
