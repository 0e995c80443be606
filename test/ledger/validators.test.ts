import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesToHex, encodeCanonical } from '../../src/codec/index.ts'
import { validatorsMax } from '../../src/dag/core/validator-set.ts'
import { candidateKeys, pendingChanges, readCandidate } from '../../src/dag/core/validator-state.ts'
import { rotationSigningBytes } from '../../src/ledger/index.ts'
import { ChangingNetwork, changingGenesis, peerIdOf, validatorKey } from '../dag/changing-network.ts'
import { accountOf, bob, carol, keyOf } from '../dag/small-network.ts'

const [v0, v1, v2, v3] = [0, 1, 2, 3].map(validatorKey) as [
  ReturnType<typeof keyOf>,
  ReturnType<typeof keyOf>,
  ReturnType<typeof keyOf>,
  ReturnType<typeof keyOf>
]
const [eve, frank] = [keyOf('eve'), keyOf('frank')]
/** Nothing takes effect while a test looks at what is pending. */
const slow = () => new ChangingNetwork(changingGenesis(4, { epochMs: 1_000_000_000 }))
const pending = (network: ChangingNetwork) => pendingChanges(network.executor.state).map(change => change.kind)

test('a candidate whom a quorum approves enters the next set with weight 1, and not before', () => {
  const network = new ChangingNetwork()
  assert.equal(network.join(eve, 'eve'), '')
  assert.deepEqual([network.approve(v0, eve), network.approve(v1, eve)], ['', ''])
  assert.deepEqual(pending(network), [])
  assert.equal(network.approve(v3, eve), '')
  assert.deepEqual(pending(network), ['join'])
  assert.deepEqual(network.names, ['v0', 'v1', 'v2', 'v3'])
  network.endEpoch()
  assert.deepEqual(network.names, ['v0', 'v1', 'v2', 'v3', 'eve'])
  assert.deepEqual(
    [network.epoch, pending(network), readCandidate(network.executor.state, accountOf(eve))],
    [1, [], undefined]
  )
})

test('only a validator approves, each once, and only a candidate', () => {
  const network = slow()
  network.join(eve, 'eve')
  assert.equal(network.approve(carol, eve), 'VALIDATOR_UNKNOWN')
  assert.equal(network.approve(eve, eve), 'VALIDATOR_UNKNOWN')
  assert.equal(network.approve(v0, frank), 'VALIDATOR_NOT_CANDIDATE')
  assert.equal(network.approve(v0, v1), 'VALIDATOR_ALREADY')
  assert.equal(network.approve(v0, eve), '')
  assert.equal(network.approve(v0, eve), 'VALIDATOR_APPROVED_TWICE')
})

test('nobody becomes a candidate who is a validator, takes its peer id, or has no Ed25519 key', () => {
  const network = slow()
  assert.equal(network.join(v1, 'again'), 'VALIDATOR_ALREADY')
  assert.equal(network.join(bob, 'bob'), 'VALIDATOR_KEY_UNFIT')
  network.join(eve, 'eve')
  for (const key of [v0, v1, v2]) network.approve(key, eve)
  assert.equal(network.join(frank, 'frank', { peerId: peerIdOf('eve') }), 'VALIDATOR_PEER_ID_TAKEN')
})

test('of two candidates with one peer id only one can be approved', () => {
  const network = slow()
  network.join(eve, 'eve')
  network.join(frank, 'frank', { peerId: peerIdOf('eve') })
  for (const key of [v0, v1, v2]) assert.equal(network.approve(key, eve), '')
  assert.deepEqual([network.approve(v0, frank), network.approve(v1, frank)], ['', ''])
  assert.equal(network.approve(v2, frank), 'VALIDATOR_PEER_ID_TAKEN')
  assert.deepEqual(pending(network), ['join'])
})

test('what was approved is what the candidate said: asking again loses the approvals', () => {
  const network = slow()
  network.join(eve, 'eve')
  for (const key of [v0, v1, v2]) network.approve(key, eve)
  assert.equal(network.join(eve, 'eve', { origin: 'elsewhere' }), '')
  assert.deepEqual(pending(network), [])
  assert.equal(network.approve(v0, eve), '')
})

test('an approval that is withdrawn no longer counts, and can be given again', () => {
  const network = slow()
  network.join(eve, 'eve')
  for (const key of [v0, v1, v2, v3]) assert.equal(network.approve(key, eve), '')
  assert.equal(network.withdraw(v0, 'approve', eve), '')
  assert.deepEqual(pending(network), ['join'])
  assert.equal(network.withdraw(v1, 'approve', eve), '')
  assert.deepEqual(pending(network), [])
  assert.equal(network.withdraw(v1, 'approve', eve), 'VALIDATOR_NOTHING_TO_WITHDRAW')
  assert.equal(network.approve(v1, eve), '')
  assert.deepEqual(pending(network), ['join'])
})

test('a quorum removes a member, whatever that member wants', () => {
  const network = new ChangingNetwork()
  assert.equal(network.remove(carol, v3), 'VALIDATOR_UNKNOWN')
  assert.equal(network.remove(v0, carol), 'VALIDATOR_UNKNOWN')
  for (const key of [v0, v1, v2]) assert.equal(network.remove(key, v3), '')
  network.endEpoch()
  assert.deepEqual(network.names, ['v0', 'v1', 'v2'])
  assert.equal(network.remove(v3, v0), 'VALIDATOR_UNKNOWN')
})

test('a new key does not shake off what others approved against its owner', () => {
  const network = new ChangingNetwork()
  network.remove(v0, v3)
  network.remove(v1, v3)
  assert.equal(network.rotate(v3, keyOf('v3 anew')), '')
  network.endEpoch()
  assert.equal(network.remove(v2, keyOf('v3 anew')), '')
  network.endEpoch()
  assert.deepEqual(network.names, ['v0', 'v1', 'v2'])
})

test('approvals of those who have left since do not count', () => {
  const network = new ChangingNetwork()
  network.join(eve, 'eve')
  network.approve(v0, eve)
  network.approve(v1, eve)
  network.leave(v0)
  network.endEpoch()
  // Three are left, all of whom must approve.
  assert.equal(network.approve(v2, eve), '')
  assert.deepEqual(pending(network), [])
  assert.equal(network.approve(v3, eve), '')
  assert.deepEqual(pending(network), ['join'])
})

test('a member leaves, and takes that back while there is time', () => {
  const network = slow()
  assert.equal(network.leave(carol), 'VALIDATOR_UNKNOWN')
  assert.equal(network.leave(v2), '')
  assert.equal(network.leave(v2), 'VALIDATOR_APPROVED_TWICE')
  assert.equal(network.withdraw(v1, 'leave', v2), 'VALIDATOR_NOTHING_TO_WITHDRAW')
  assert.equal(network.withdraw(v2, 'leave', v2), '')
  assert.deepEqual(pending(network), [])
})

test('the last member cannot leave, nor be left alone by a newcomer that is no longer wanted', () => {
  const network = new ChangingNetwork(changingGenesis(1, { epochMs: 1_000_000_000 }))
  assert.equal(network.leave(v0), 'VALIDATOR_SET_EMPTY')
  network.join(eve, 'eve')
  network.approve(v0, eve)
  assert.equal(network.leave(v0), '')
  assert.equal(network.withdraw(v0, 'approve', eve), 'VALIDATOR_SET_EMPTY')
  assert.equal(network.join(eve, 'other words'), 'VALIDATOR_SET_EMPTY')
  assert.equal(network.leave(eve), 'VALIDATOR_SET_EMPTY')
  assert.deepEqual(pending(network), ['join', 'leave'])
})

test('a candidate gives up, and its approvals with it', () => {
  const network = slow()
  network.join(eve, 'eve')
  for (const key of [v0, v1, v2]) network.approve(key, eve)
  assert.equal(network.leave(eve), '')
  assert.deepEqual([pending(network), candidateKeys(network.executor.state)], [[], []])
  assert.equal(network.approve(v3, eve), 'VALIDATOR_NOT_CANDIDATE')
})

test('a rotation needs a signature of the new key for this old key and this network', () => {
  const network = slow()
  const next = keyOf('v0 anew')
  const signed = (message: Uint8Array) => ({ signature: bytesToHex(next.sign(message)) })
  const { digest } = network.genesis
  assert.equal(network.rotate(carol, next), 'VALIDATOR_UNKNOWN')
  assert.equal(network.rotate(v0, v1), 'VALIDATOR_ALREADY')
  assert.equal(
    network.rotate(v0, next, signed(rotationSigningBytes(digest, v1.publicKey))),
    'VALIDATOR_KEY_PROOF_WRONG'
  )
  const elsewhere = rotationSigningBytes(new Uint8Array(32), v0.publicKey)
  assert.equal(network.rotate(v0, next, signed(elsewhere)), 'VALIDATOR_KEY_PROOF_WRONG')
  assert.equal(network.rotate(v0, next, { newKey: accountOf(carol) }), 'VALIDATOR_KEY_PROOF_WRONG')
  assert.equal(network.rotate(v0, keyOf('curve', 'secp256k1')), 'VALIDATOR_KEY_UNFIT')
  assert.equal(network.rotate(v0, next), '')
  assert.equal(network.rotate(v1, next), 'VALIDATOR_ALREADY')
  assert.equal(network.rotate(v0, keyOf('v0 once more')), '')
  assert.deepEqual(pending(network), ['rotate'])
  assert.equal(network.join(keyOf('v0 once more'), 'x'), 'VALIDATOR_ALREADY')
  assert.equal(network.withdraw(v0, 'rotate', v0), '')
  assert.deepEqual(pending(network), [])
})

test('the old key is the validator until the next set, then the new one is', () => {
  const network = new ChangingNetwork()
  const next = keyOf('v0 anew')
  network.join(eve, 'eve')
  network.rotate(v0, next)
  assert.equal(network.approve(next, eve), 'VALIDATOR_UNKNOWN')
  assert.equal(network.approve(v0, eve), '')
  network.endEpoch()
  assert.equal(network.approve(v0, eve), 'VALIDATOR_UNKNOWN')
  assert.equal(network.approve(next, eve), '')
})

test('a flood of candidates pushes out only those whom nobody has approved', () => {
  const network = slow()
  network.join(eve, 'eve')
  network.approve(v0, eve)
  const keys = Array.from({ length: validatorsMax + 5 }, (_, place) => keyOf(`flood ${place}`))
  for (const [place, key] of keys.entries()) assert.equal(network.join(key, `flood ${place}`), '')
  const left = candidateKeys(network.executor.state)
  assert.equal(left.length, validatorsMax)
  assert.ok(left.includes(accountOf(eve)))
  assert.equal(readCandidate(network.executor.state, accountOf(keys[0]!)), undefined)
})

const bad: Record<string, readonly [string, unknown]> = {
  'a name that is too long': [
    'validator-join',
    { name: 'x'.repeat(65), peerId: peerIdOf('x'), origin: '', region: '' }
  ],
  'a peer id that is none': ['validator-join', { name: 'x', peerId: 'peer', origin: '', region: '' }],
  'a field that nobody knows': ['validator-leave', { when: 'now' }],
  'a key that is none': ['validator-approve', { validator: 'eve' }],
  'no key': ['validator-remove', {}],
  'a default that is left out': ['validator-rotate', { newKey: accountOf(eve), signature: '00'.repeat(64) }],
  'a change that nobody knows': ['validator-withdraw', { change: 'join', validator: accountOf(v0) }]
}

for (const [name, [type, payload]] of Object.entries(bad)) {
  test(`${type} is refused for ${name}`, () => {
    assert.equal(slow().submit(v0, type, encodeCanonical(payload as never)), 'EVENT_PAYLOAD_INVALID')
  })
}
