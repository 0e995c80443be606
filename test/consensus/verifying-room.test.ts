import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { VerifyingRoom } from '../../src/consensus/verifying-room.ts'

const share = { bytesMax: 100, bytesPerPeerMax: 30 }
const tick = () => new Promise(setImmediate)

test('a peer that sends much waits behind itself and keeps nobody else out', async () => {
  const room = new VerifyingRoom(share)
  const order: number[] = []
  const entered = (place: number, sizeBytes: number) => {
    const wait = room.enter('flood', sizeBytes)
    void Promise.resolve(wait).then(() => order.push(place))
    return wait
  }
  assert.equal(entered(0, 20), undefined)
  assert.notEqual(entered(1, 20), undefined)
  assert.notEqual(entered(2, 1), undefined)
  assert.deepEqual([room.isOpenTo('flood'), room.isOpenTo('other')], [false, true])
  assert.equal(room.enter('other', 30), undefined)
  room.leave('flood', 20)
  await tick()
  assert.deepEqual(order, [0, 1, 2])
})

test('what is larger than a share goes in alone', () => {
  const room = new VerifyingRoom(share)
  assert.equal(room.enter('a', 500), undefined)
  assert.notEqual(room.enter('a', 1), undefined)
  assert.notEqual(room.enter('b', 1), undefined)
})

test('in any order of coming and going the limits hold and everybody gets in', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({ peer: fc.constantFrom('a', 'b', 'c', 'd', 'e'), sizeBytes: fc.integer({ min: 1, max: 30 }) }),
        {
          maxLength: 60
        }
      ),
      async steps => {
        const room = new VerifyingRoom(share)
        const inside: { peer: string; sizeBytes: number }[] = []
        let done = 0
        for (const step of steps)
          void Promise.resolve(room.enter(step.peer, step.sizeBytes)).then(() => inside.push(step))
        while (done < steps.length) {
          await tick()
          const used = inside.reduce((sum, one) => sum + one.sizeBytes, 0)
          assert.equal(room.usedBytes, used)
          assert.ok(used <= share.bytesMax)
          for (const peer of ['a', 'b', 'c', 'd', 'e'])
            assert.ok(
              inside.filter(one => one.peer === peer).reduce((sum, one) => sum + one.sizeBytes, 0) <=
                share.bytesPerPeerMax
            )
          const leaving = inside.shift()
          assert.ok(leaving !== undefined, 'somebody is never let in')
          room.leave(leaving.peer, leaving.sizeBytes)
          done++
        }
        assert.equal(room.usedBytes, 0)
      }
    ),
    { numRuns: 50 }
  )
})
