import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { bytesToHex, cidOfObject, digestOfCid, hexToBytes, parseCid, rawCid, sha256 } from '../../src/codec/index.ts'
import { isBlyanError } from '../../src/errors/index.ts'

test('CIDs of objects and of leaves have their published form', () => {
  // {} in DAG-CBOR and the empty file, as `ipfs dag put` and `ipfs add --raw-leaves` name them.
  assert.equal(
    cidOfObject(Uint8Array.of(0xa0)).toString(),
    'bafyreigbtj4x7ip5legnfznufuopl4sg4knzc2cof6duas4b3q2fy6swua'
  )
  assert.equal(
    rawCid(sha256(new Uint8Array(0))).toString(),
    'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'
  )
})

test('a CID holds the SHA-256 of its bytes, and reads back from its text', () => {
  fc.assert(
    fc.property(fc.uint8Array(), bytes => {
      const cid = cidOfObject(bytes)
      assert.equal(bytesToHex(digestOfCid(cid)), createHash('sha256').update(bytes).digest('hex'))
      assert.ok(parseCid(cid.toString()).equals(cid))
    })
  )
})

test('anything but a CIDv1 with SHA-256 is refused by name', () => {
  const bad = [
    '',
    'b',
    'bafy',
    'QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n',
    'bafkqaaa',
    'bafkr4iczqkn7ptvnq3ovwz6vjg5ntrh7h3cy6ihwbzlufyx6lxiwv5xkuq',
    'not a cid at all',
    '/ipfs/bafyreigbtj4x7ip5legnfznufuopl4sg4knzc2cof6duas4b3q2fy6swua',
    'é'.repeat(1000)
  ]
  for (const text of bad)
    assert.throws(
      () => parseCid(text),
      error => isBlyanError(error, 'CID_INVALID'),
      text
    )
  fc.assert(
    fc.property(fc.string(), text => {
      assert.throws(
        () => parseCid(text),
        error => isBlyanError(error, 'CID_INVALID')
      )
    })
  )
})

test('hex is strict', () => {
  assert.deepEqual(hexToBytes('00fF'), Uint8Array.of(0, 255))
  for (const bad of ['0', '0g', ' 00', '0x00']) assert.equal(hexToBytes(bad), undefined)
})
