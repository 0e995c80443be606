import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateSigningKey } from '../../../src/codec/index.ts'
import { isBlyanError } from '../../../src/errors/index.ts'
import {
  type AnsweredLoad,
  type CommitmentBody,
  type ExpectedCommitment,
  readCommitment,
  verifyCommitment
} from '../../../src/guardian/index.ts'
import { refusesOnlyByName } from '../../codec/fuzz.ts'
import { gatewayId, gaussianRow, holderKey, network, random, signed, weightsCid } from './expert-world.ts'

const width = 8
const next = random(1)
const load = (rows: number): AnsweredLoad => ({
  weights: weightsCid,
  width,
  input: gaussianRow(rows * width, next),
  output: gaussianRow(rows * width, next)
})
const loads = [load(1), load(3), load(7)]
const expected: ExpectedCommitment = {
  network,
  gateway: gatewayId,
  holder: holderKey.publicKey,
  request: 'request-1',
  layer: 3,
  loads
}
const refused = (reason: RegExp) => (error: unknown) =>
  isBlyanError(error, 'COMMITMENT_INVALID') && reason.test(error.message)

test('a commitment stands for one answer: whatever of it changes, it is refused', () => {
  const { bytes, signature } = signed(holderKey, loads)
  assert.equal(verifyCommitment(bytes, signature, expected).body.number, 0)
  const changed = (place: number, which: 'input' | 'output') =>
    loads.map((one, at) =>
      at === place ? { ...one, [which]: one[which].map((value, i) => (i === 2 ? value + 1e-6 : value)) } : one
    )
  const others: [Partial<ExpectedCommitment>, RegExp][] = [
    [{ network: new Uint8Array(32) }, /another network/],
    [{ gateway: 'another' }, /another gateway/],
    [{ holder: generateSigningKey().publicKey }, /another holder/],
    [{ request: 'request-2' }, /another call/],
    [{ layer: 4 }, /another layer/],
    [{ loads: loads.slice(1) }, /another number of experts/],
    [{ loads: changed(1, 'input') }, /expert 1 had another input/],
    [{ loads: changed(2, 'output') }, /expert 2 gave another output/]
  ]
  for (const [change, reason] of others)
    assert.throws(() => verifyCommitment(bytes, signature, { ...expected, ...change }), refused(reason))
})

test('only the holder it names can sign it', () => {
  const stranger = generateSigningKey()
  const { bytes, signature } = signed(stranger, loads, { holder: holderKey.publicKey })
  assert.throws(() => verifyCommitment(bytes, signature, expected), refused(/not of the holder/))
})

test('within a session commitments follow each other: gaps are allowed, two with one number are not', () => {
  const first = signed(holderKey, loads)
  const last = { session: new Uint8Array(16).fill(1), number: 0, digest: first.digest }
  const following = (changes: Partial<CommitmentBody>) => {
    const { bytes, signature } = signed(holderKey, loads, changes)
    return () => verifyCommitment(bytes, signature, { ...expected, last })
  }
  following({ number: 1, previous: first.digest })()
  following({ number: 5, previous: new Uint8Array(32).fill(9) })()
  following({ session: new Uint8Array(16).fill(2) })()
  assert.throws(following({ number: 1, previous: new Uint8Array(32).fill(9) }), refused(/follows another/))
  assert.throws(following({ number: 0, arithmetic: 'integer' }), refused(/two with number 0/))
  assert.throws(following({ number: 0, previous: first.digest }), refused(/has one before it/))
})

test('bytes of strangers are read or refused by name', () => {
  refusesOnlyByName(readCommitment, [signed(holderKey, loads).bytes], 'COMMITMENT_INVALID', 600)
})
