import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { rawCid, sha256 } from '../../src/codec/index.ts'
import { State } from '../../src/dag/core/state.ts'
import {
  newestOf,
  partOfVersion,
  partUpdatesMax,
  readPartChain,
  recordPartVersion,
  wasUpdate
} from '../../src/dag/index.ts'

const cid = (text: string) => rawCid(sha256(new TextEncoder().encode(text)))

test('updates lengthen the chain of a part, and a snapshot begins it anew', () => {
  const state = new State()
  recordPartVersion(state, 'layer0.expert0', { tensor: cid('t0'), update: null })
  recordPartVersion(state, 'layer0.expert0', { tensor: cid('t1'), update: { cid: cid('u1'), sizeBytes: 7 } })
  const chain = readPartChain(state, 'layer0.expert0')!
  assert.deepEqual(chain, {
    snapshot: cid('t0').toString(),
    updates: [{ update: cid('u1').toString(), tensor: cid('t1').toString(), sizeBytes: 7 }]
  })
  assert.equal(newestOf(chain), cid('t1').toString())
  recordPartVersion(state, 'layer0.expert0', { tensor: cid('t2'), update: null })
  assert.deepEqual(readPartChain(state, 'layer0.expert0'), { snapshot: cid('t2').toString(), updates: [] })
  assert.equal(readPartChain(state, 'layer0.expert1'), undefined)
})

test('what ever was a version or an update stays known after it was superseded', () => {
  const state = new State()
  recordPartVersion(state, 'router', { tensor: cid('t0'), update: null })
  recordPartVersion(state, 'router', { tensor: cid('t1'), update: { cid: cid('u1'), sizeBytes: 1 } })
  recordPartVersion(state, 'router', { tensor: cid('t2'), update: null })
  assert.equal(partOfVersion(state, cid('t0')), 'router')
  assert.equal(partOfVersion(state, cid('t3')), undefined)
  assert.equal(wasUpdate(state, cid('u1')), true)
  assert.equal(wasUpdate(state, cid('t1')), false)
})

test('an update needs a version before it', () => {
  const update = { cid: cid('u'), sizeBytes: 1 }
  const record = () => recordPartVersion(new State(), 'router', { tensor: cid('t'), update })
  assert.throws(record, { code: 'PART_UPDATE_BASELESS' })
})

test('whatever is published, the chain stays within its bound and ends in the newest version', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 120 }), draws => {
      const state = new State()
      recordPartVersion(state, 'part', { tensor: cid('first'), update: null })
      let newest = cid('first').toString()
      for (const [at, draw] of draws.entries()) {
        const tensor = cid(`tensor ${at}`)
        const update = draw === 0 ? null : { cid: cid(`update ${at}`), sizeBytes: at + 1 }
        try {
          recordPartVersion(state, 'part', { tensor, update })
          newest = tensor.toString()
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'PART_CHAIN_TOO_LONG')
          assert.equal(readPartChain(state, 'part')!.updates.length, partUpdatesMax)
        }
        const chain = readPartChain(state, 'part')!
        assert.ok(chain.updates.length <= partUpdatesMax)
        assert.equal(newestOf(chain), newest)
      }
    }),
    { numRuns: 30 }
  )
})
