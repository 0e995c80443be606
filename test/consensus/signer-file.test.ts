import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { generateSigningKey, verifySignatureSync } from '../../src/codec/index.ts'
import { openSigner, writeSignerFloor } from '../../src/consensus/signer.ts'
import { isBlyanError } from '../../src/errors/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'blyan-signer-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const key = generateSigningKey()
const message = new TextEncoder().encode('header')
const digestOf = (round: number): string => round.toString(16).padStart(64, '0')
let files = 0

function fileWith(rounds: number): string {
  const file = join(folder, `state-${files++}.json`)
  writeSignerFloor(file)
  const signer = openSigner({ key, file })
  for (let round = 1; round <= rounds; round++) {
    signer.signVertex({ epoch: 0, round, digest: digestOf(round) }, message)
    signer.keep()
  }
  signer.close()
  return file
}

function floorRoundOf(file: string): number {
  const signer = openSigner({ key, file })
  signer.close()
  return signer.floor!.round
}

test('a new file is JSON, begins below round 1 and keeps what it was told', () => {
  for (const rounds of [0, 1, 2, 3, 10]) {
    const file = fileWith(rounds)
    assert.equal(floorRoundOf(file), rounds)
    assert.equal(JSON.parse(readFileSync(file, 'utf8')).schema, 'blyan.signer-state/1')
  }
})

test('the signature is the key`s own, and a second header of the round is refused after a restart too', () => {
  const file = fileWith(3)
  const signer = openSigner({ key, file })
  const signature = signer.signVertex({ epoch: 0, round: 3, digest: digestOf(3) }, message)
  assert.ok(verifySignatureSync(key.publicKey, message, signature))
  assert.throws(
    () => signer.signVertex({ epoch: 0, round: 3, digest: digestOf(9) }, message),
    error => isBlyanError(error, 'SIGN_TWICE')
  )
  assert.throws(
    () => signer.signVertex({ epoch: 0, round: 2, digest: digestOf(2) }, message),
    error => isBlyanError(error, 'SIGN_BELOW_FLOOR')
  )
  signer.close()
})

test('a checkpoint floor is on disk before its signature is there to be sent', () => {
  const file = fileWith(1)
  const signer = openSigner({ key, file })
  assert.ok(signer.signCheckpoint({ sequence: 4, digest: digestOf(4) }, message) !== undefined)
  const copy = join(folder, 'copy.json')
  writeFileSync(copy, readFileSync(file))
  const reopened = openSigner({ key, file: copy })
  assert.equal(reopened.floor!.checkpointSequence, 4)
  assert.equal(reopened.floor!.round, 1)
  assert.equal(reopened.signCheckpoint({ sequence: 4, digest: digestOf(5) }, message), undefined)
  assert.equal(reopened.signCheckpoint({ sequence: 3, digest: digestOf(4) }, message), undefined)
  for (const one of [signer, reopened]) one.close()
})

test('a write that is cut off at any byte loses nothing that was kept before it', () => {
  for (const rounds of [4, 5]) {
    const before = readFileSync(fileWith(rounds))
    const after = readFileSync(fileWith(rounds + 1))
    const changed = [...before.keys()].filter(place => before[place] !== after[place])
    const [first, last] = [changed[0]!, changed.at(-1)!]
    for (let cut = first; cut <= last + 1; cut += 3) {
      const torn = Buffer.concat([after.subarray(0, cut), before.subarray(cut)])
      const file = join(folder, 'torn.json')
      writeFileSync(file, torn)
      const round = floorRoundOf(file)
      assert.ok(round === rounds || round === rounds + 1, `cut at ${cut}: ${round}`)
      const garbage = Buffer.from(after)
      garbage.fill(0, cut, last + 1)
      writeFileSync(file, garbage)
      assert.ok(floorRoundOf(file) >= rounds)
    }
  }
})

test('the write after a torn one is safe again', () => {
  const file = fileWith(4)
  const bytes = readFileSync(file)
  const slot = bytes.indexOf('"turn":4')
  bytes.fill(0, slot, slot + 200)
  writeFileSync(file, bytes)
  const signer = openSigner({ key, file })
  signer.signVertex({ epoch: 0, round: 7, digest: digestOf(7) }, message)
  signer.keep()
  signer.close()
  const again = readFileSync(file)
  again.fill(0, again.indexOf('"turn":5'), again.indexOf('"turn":5') + 50)
  writeFileSync(file, again)
  assert.equal(floorRoundOf(file), 7)
})

test('a bit that turned in a slot is never read as a floor', () => {
  const file = fileWith(2)
  const good = readFileSync(file)
  for (let place = 0; place < good.length; place += 7) {
    const bytes = Buffer.from(good)
    bytes[place]! ^= 1
    writeFileSync(file, bytes)
    assert.ok([1, 2].includes(floorRoundOf(file)), `byte ${place}`)
  }
})

test('a file with no readable slot is refused, never begun anew', () => {
  for (const damage of [
    (): Buffer => Buffer.alloc(0),
    (bytes: Buffer): Buffer => bytes.subarray(0, 100),
    (bytes: Buffer): Buffer => Buffer.alloc(bytes.length),
    (): Buffer => Buffer.from('{"schema":"blyan.signer-state/1","slots":[]}')
  ]) {
    const file = fileWith(3)
    writeFileSync(file, damage(readFileSync(file)))
    assert.throws(
      () => openSigner({ key, file }),
      error => isBlyanError(error, 'SIGNER_STATE_DAMAGED')
    )
  }
})

test('a vertex that the store holds raises the floor on disk, and nothing lowers it', () => {
  const file = fileWith(4)
  const signer = openSigner({ key, file })
  signer.cover({ epoch: 0, round: 6, digest: digestOf(6) })
  signer.cover({ epoch: 0, round: 2, digest: digestOf(2) })
  assert.throws(
    () => signer.signVertex({ epoch: 0, round: 6, digest: digestOf(60) }, message),
    error => isBlyanError(error, 'SIGN_TWICE')
  )
  signer.close()
  assert.equal(floorRoundOf(file), 6)
})

test('with no file nothing is signed until it is known what to resume above', () => {
  const file = join(folder, 'lost.json')
  const signer = openSigner({ key, file })
  assert.equal(signer.floor, undefined)
  assert.throws(
    () => signer.signVertex({ epoch: 0, round: 9, digest: digestOf(9) }, message),
    error => isBlyanError(error, 'SIGN_BELOW_FLOOR')
  )
  assert.equal(signer.signCheckpoint({ sequence: 9, digest: digestOf(9) }, message), undefined)
  signer.resumeAbove({ epoch: 0, round: 20, checkpointSequence: 4 })
  signer.resumeAbove({ epoch: 0, round: 1, checkpointSequence: 0 })
  assert.equal(floorRoundOf(file), 20)
  assert.throws(
    () => signer.signVertex({ epoch: 0, round: 20, digest: digestOf(20) }, message),
    error => isBlyanError(error, 'SIGN_TWICE') || isBlyanError(error, 'SIGN_BELOW_FLOOR')
  )
  assert.equal(signer.signVertex({ epoch: 0, round: 21, digest: digestOf(21) }, message).length, 64)
  assert.equal(signer.signCheckpoint({ sequence: 4, digest: digestOf(4) }, message), undefined)
  signer.close()
})

test('numbers as large as they get fit their slot', () => {
  const file = fileWith(0)
  const signer = openSigner({ key, file })
  const most = Number.MAX_SAFE_INTEGER
  signer.signVertex({ epoch: most, round: most, digest: 'f'.repeat(64) }, message)
  signer.signCheckpoint({ sequence: most, digest: 'f'.repeat(64) }, message)
  signer.close()
  assert.equal(floorRoundOf(file), most)
  assert.equal(readFileSync(file).length, readFileSync(fileWith(0)).length)
})
