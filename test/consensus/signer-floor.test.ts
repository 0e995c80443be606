import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { emptyFloor, maySignCheckpoint, maySignVertex } from '../../src/consensus/core/signer-floor.ts'

const arbitraryHeader = () =>
  fc.record({ epoch: fc.nat(2), round: fc.integer({ min: 1, max: 5 }), digest: fc.constantFrom('a', 'b', 'c') })
const arbitraryCheckpoint = () =>
  fc.record({ sequence: fc.integer({ min: 1, max: 5 }), digest: fc.constantFrom('a', 'b') })

test('a key never signs two headers of one slot, whatever the order of requests', () => {
  fc.assert(
    fc.property(fc.array(arbitraryHeader(), { maxLength: 30 }), headers => {
      let floor = emptyFloor
      const signed = new Map<string, string>()
      for (const header of headers) {
        const verdict = maySignVertex(floor, header)
        floor = verdict.floor
        if (!verdict.allowed) continue
        const slot = `${header.epoch}/${header.round}`
        assert.equal(signed.get(slot) ?? header.digest, header.digest)
        signed.set(slot, header.digest)
      }
    })
  )
})

test('a key never signs two digests of one checkpoint, whatever the order of requests', () => {
  fc.assert(
    fc.property(fc.array(arbitraryCheckpoint(), { maxLength: 30 }), checkpoints => {
      let floor = emptyFloor
      const signed = new Map<number, string>()
      for (const { sequence, digest } of checkpoints) {
        const verdict = maySignCheckpoint(floor, { sequence, digest })
        floor = verdict.floor
        if (!verdict.allowed) continue
        assert.equal(signed.get(sequence) ?? digest, digest)
        signed.set(sequence, digest)
      }
    })
  )
})

test('the floor never sinks', () => {
  fc.assert(
    fc.property(fc.array(arbitraryHeader(), { maxLength: 30 }), headers => {
      let floor = emptyFloor
      for (const header of headers) {
        const next = maySignVertex(floor, header).floor
        assert.ok(next.epoch * 10 + next.round >= floor.epoch * 10 + floor.round)
        floor = next
      }
    })
  )
})

test('the same header may be signed again, another of its slot or an older one may not', () => {
  const { floor } = maySignVertex(emptyFloor, { epoch: 0, round: 3, digest: 'a' })
  const codeOf = (epoch: number, round: number, digest: string) => {
    const verdict = maySignVertex(floor, { epoch, round, digest })
    return verdict.allowed ? 'allowed' : verdict.code
  }
  assert.equal(codeOf(0, 3, 'a'), 'allowed')
  assert.equal(codeOf(0, 3, 'b'), 'SIGN_TWICE')
  assert.equal(codeOf(0, 2, 'a'), 'SIGN_BELOW_FLOOR')
  assert.equal(codeOf(1, 1, 'b'), 'allowed')
})

test('checkpoints and vertices have floors of their own', () => {
  const { floor } = maySignCheckpoint(emptyFloor, { sequence: 9, digest: 'a' })
  assert.equal(maySignVertex(floor, { epoch: 0, round: 1, digest: 'b' }).allowed, true)
  assert.deepEqual(maySignVertex(floor, { epoch: 0, round: 1, digest: 'b' }).floor, {
    epoch: 0,
    round: 1,
    digest: 'b',
    checkpointSequence: 9,
    checkpointDigest: 'a'
  })
})
