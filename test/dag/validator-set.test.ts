import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { publicKeyToText } from '../../src/codec/index.ts'
import type { Validator } from '../../src/consensus/index.ts'
import {
  committeeOfSet,
  decodeSet,
  encodeSet,
  faultOfSet,
  nextSet,
  type SetChange,
  validatorsMax
} from '../../src/dag/core/validator-set.ts'
import { isBlyanError } from '../../src/errors/index.ts'
import { arbitraryDamage } from '../codec/fuzz.ts'
import { keyOf } from './small-network.ts'

const keyOfMember = (name: string) => keyOf(name).publicKey
const member = (name: string, weight = 1): Validator => ({
  name,
  publicKey: keyOfMember(name),
  peerId: `peer of ${name}`,
  origin: 'here',
  region: 'there',
  weight
})
const names = (members: readonly Validator[]) => members.map(one => one.name)
const four = ['a', 'b', 'c', 'd'].map(name => member(name))

test('those who stay keep their order, and newcomers follow in the order they were let in', () => {
  const changes: SetChange[] = [
    { kind: 'join', member: member('f') },
    { kind: 'leave', key: keyOfMember('b') },
    { kind: 'join', member: member('e') },
    { kind: 'remove', key: keyOfMember('d') }
  ]
  assert.deepEqual(names(nextSet(four, changes)), ['a', 'c', 'f', 'e'])
})

test('a rotated key takes the place and the weight of the old one, and its peer id unless another is named', () => {
  const heavy = [member('a', 3), member('b', 5)]
  const rotate = (peerId: string | null): SetChange => ({
    kind: 'rotate',
    key: keyOfMember('b'),
    newKey: keyOfMember('b2'),
    peerId
  })
  assert.deepEqual(nextSet(heavy, [rotate(null)])[1], { ...heavy[1]!, publicKey: keyOfMember('b2') })
  assert.equal(nextSet(heavy, [rotate('elsewhere')])[1]!.peerId, 'elsewhere')
})

test('leaving is stronger than rotating, in either order', () => {
  const rotate: SetChange = { kind: 'rotate', key: keyOfMember('b'), newKey: keyOfMember('b2'), peerId: null }
  for (const kind of ['leave', 'remove'] as const) {
    const gone: SetChange = { kind, key: keyOfMember('b') }
    assert.deepEqual(names(nextSet(four, [rotate, gone])), ['a', 'c', 'd'])
    assert.deepEqual(names(nextSet(four, [gone, rotate])), ['a', 'c', 'd'])
  }
})

test('no set is empty, too large, or holds a key or a peer id twice', () => {
  const many = Array.from({ length: validatorsMax + 1 }, (_, place) => member(`m${place}`))
  assert.equal(faultOfSet([]), 'VALIDATOR_SET_EMPTY')
  assert.equal(faultOfSet(many), 'VALIDATOR_SET_FULL')
  assert.equal(faultOfSet(many.slice(1)), undefined)
  assert.equal(faultOfSet([...four, { ...member('a'), peerId: 'other' }]), 'VALIDATOR_ALREADY')
  assert.equal(faultOfSet([...four, { ...member('e'), peerId: 'peer of a' }]), 'VALIDATOR_PEER_ID_TAKEN')
})

test('whatever the changes, members come from the set before, a rotation or a join, and nobody gains weight', () => {
  const arbitraryChange: fc.Arbitrary<SetChange> = fc.oneof(
    fc.nat(5).map((place): SetChange => ({ kind: 'join', member: member(`new ${place}`) })),
    fc
      .record({ kind: fc.constantFrom('leave' as const, 'remove' as const), place: fc.nat(4) })
      .map(({ kind, place }): SetChange => ({ kind, key: keyOfMember('abcde'[place]!) })),
    fc.nat(4).map(
      (place): SetChange => ({
        kind: 'rotate',
        key: keyOfMember('abcde'[place]!),
        newKey: keyOfMember(`rotated ${place}`),
        peerId: null
      })
    )
  )
  fc.assert(
    fc.property(fc.array(arbitraryChange, { maxLength: 12 }), changes => {
      const after = nextSet(four, changes)
      const joins = changes.filter(change => change.kind === 'join').length
      const left = new Set(changes.flatMap(change => (change.kind === 'join' ? [] : [publicKeyToText(change.key)])))
      for (const one of four) {
        const isUntouched = !left.has(publicKeyToText(one.publicKey))
        assert.equal(after.includes(one), isUntouched)
      }
      assert.ok(after.length <= four.length + joins)
      assert.ok(after.every(one => one.weight === 1))
    })
  )
})

test('an encoded set reads back, and no other bytes do', () => {
  const set = { epoch: 7, baseRound: 812, members: [member('ä', 9), member('b')] }
  const bytes = encodeSet(set)
  assert.deepEqual(decodeSet(bytes), set)
  fc.assert(
    fc.property(arbitraryDamage([bytes]), damaged => {
      try {
        assert.equal(Buffer.compare(encodeSet(decodeSet(damaged)), damaged), 0)
      } catch (error) {
        assert.ok(isBlyanError(error, 'ENCODING_INVALID'))
      }
    })
  )
})

test('only three of one weight may go on with two', () => {
  const three = four.slice(1)
  const weights = (members: readonly Validator[]) => {
    const { orderingWeight, quorumWeight } = committeeOfSet({ epoch: 1, baseRound: 9, members }, 'crash')
    return [orderingWeight, quorumWeight]
  }
  assert.deepEqual(weights(three), [2, 3])
  assert.deepEqual(weights(four), [3, 3])
  assert.deepEqual(weights([member('a', 3), ...four.slice(2)]), [4, 4])
  assert.equal(committeeOfSet({ epoch: 1, baseRound: 9, members: three }, 'none').orderingWeight, 3)
})
