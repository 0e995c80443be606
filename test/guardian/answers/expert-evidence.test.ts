import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesToHex, generateSigningKey, type SigningKey } from '../../../src/codec/index.ts'
import { State } from '../../../src/dag/core/state.ts'
import { genesisOf } from '../../../src/dag/index.ts'
import { isBlyanError } from '../../../src/errors/index.ts'
import { type Exhibit, encodeExpertEvidence, exhibitOf } from '../../../src/guardian/answers/expert-evidence.ts'
import {
  type AnsweredLoad,
  expertEvidenceCount,
  expertEvidenceKeptMax,
  judge,
  readExpertEvidence,
  readExpertEvidenceEntry,
  statementsOf
} from '../../../src/guardian/index.ts'
import { createHandlers } from '../../../src/node/event-handlers.ts'
import { refusesOnlyByName } from '../../codec/fuzz.ts'
import { accountOf, alice, bob, genesisFile } from '../../dag/small-network.ts'
import { LedgerWorld, poor, rich } from '../../ledger/ledger-world.ts'
import {
  computeRow,
  drawWeights,
  finish,
  gaussianRow,
  holderKey,
  inInt4,
  network,
  random,
  signed,
  weightsCid
} from './expert-world.ts'

const width = 16
const weights = drawWeights(width, 12, 'float', random(1))
const machine = { seed: 1, lanes: 4, isFused: false }

function answered(rows: number, from = weights, seed = 2): AnsweredLoad {
  const next = random(seed)
  const input = gaussianRow(rows * width, next)
  const output = new Float32Array(rows * width)
  for (let row = 0; row < rows; row++)
    output.set(computeRow(from, input.subarray(row * width, (row + 1) * width), 'float', machine), row * width)
  return { weights: weightsCid, width, input, output }
}

function exhibit(key: SigningKey, load: AnsweredLoad, row = 0, of: Uint8Array = network): Exhibit {
  return exhibitOf(signed(key, [load], { network: of }), [load], { load: 0, row })
}

const invalid = (part: RegExp) => (error: unknown) =>
  isBlyanError(error, 'EXPERT_EVIDENCE_INVALID') && part.test(error.message)

test('one row of a large answer is shown with its paths, and is what the holder signed', () => {
  const lie = answered(37, inInt4(weights))
  const exhibits = [0, 17, 36].map(row => exhibit(holderKey, lie, row))
  const payload = encodeExpertEvidence(exhibits)!
  const statements = statementsOf(readExpertEvidence(payload), network)
  assert.deepEqual(
    statements.map(({ body }) => body.holder),
    Array(3).fill(holderKey.publicKey)
  )
  assert.deepEqual(statements[1]!.output, lie.output.slice(17 * width, 18 * width))
  for (const statement of statements) assert.equal(finish(judge(statement, weights)).isProven, true)
})

test('nobody can be framed: what an honest holder did not sign is refused, what it signed proves nothing', () => {
  const honest = answered(3)
  const true_ = exhibit(holderKey, honest, 1)
  assert.equal(finish(judge(statementsOf([true_], network)[0]!, weights)).isProven, false)
  const turned = (bytes: Uint8Array, place = 3): Uint8Array =>
    bytes.map((byte, at) => (at === place ? byte ^ 64 : byte))
  const gateway = generateSigningKey()
  const lie = answered(3, inInt4(weights))
  const resigned = exhibit(gateway, lie, 1)
  const others: [Exhibit, RegExp][] = [
    [{ ...true_, output: turned(true_.output) }, /output that the holder did not sign/],
    [{ ...true_, input: turned(true_.input) }, /input that the holder did not sign/],
    // The output of one row beside the input of another.
    [{ ...true_, output: exhibit(holderKey, honest, 2).output }, /output that the holder did not sign/],
    [{ ...true_, row: 2 }, /did not sign/],
    [{ ...true_, load: 1 }, /an expert that the call did not have/],
    [{ ...true_, signature: turned(true_.signature, 40) }, /signature/],
    // The gateway's own commitment, and one that names the holder but is signed by the gateway.
    [{ ...true_, commitment: resigned.commitment }, /signature/],
    [exhibitOf(signed(gateway, [lie], { holder: holderKey.publicKey }), [lie], { load: 0, row: 1 }), /signature/],
    // A true statement of the same holder on another network.
    [exhibit(holderKey, lie, 1, new Uint8Array(32).fill(9)), /another network/],
    [{ ...true_, input: true_.input.subarray(4) }, /rows of another width/]
  ]
  for (const [exhibited, reason] of others) assert.throws(() => statementsOf([exhibited], network), invalid(reason))
  assert.throws(() => statementsOf([true_, resigned], network), invalid(/several holders/))
  assert.throws(() => statementsOf([true_, true_], network), invalid(/a row is shown twice/))
})

test('payloads of strangers are read or refused by name', () => {
  const payload = encodeExpertEvidence([exhibit(holderKey, answered(2), 1)])!
  refusesOnlyByName(readExpertEvidence, [payload], 'EXPERT_EVIDENCE_INVALID', 500)
  refusesOnlyByName(
    bytes => statementsOf(readExpertEvidence(bytes), network),
    [payload],
    'EXPERT_EVIDENCE_INVALID',
    300
  )
})

test('rows that do not fit into an event are left out, and evidence without any is not made', () => {
  const wide = (width: number): AnsweredLoad => {
    const row = gaussianRow(width, random(3))
    return { weights: weightsCid, width, input: row, output: row }
  }
  assert.equal(
    readExpertEvidence(encodeExpertEvidence([4096, 4096].map(size => exhibit(holderKey, wide(size))))!).length,
    1
  )
  assert.equal(encodeExpertEvidence([exhibit(holderKey, wide(16_384))]), undefined)
})

test('in a network without coins who has stake brings evidence: a block on chain A, an entry, and nothing else', () => {
  const genesis = genesisOf(genesisFile())
  const handler = createHandlers(genesis).get('expert-evidence')
  const state = new State()
  state.set(`stake/${accountOf(alice)}`, '10')
  const payload = encodeExpertEvidence([exhibit(holderKey, answered(2, inInt4(weights)), 0, genesis.digest)])!
  const bring = (author: SigningKey) =>
    handler.apply({
      envelope: { type: 'expert-evidence', payload, author: author.publicKey } as never,
      eventDigest: '00'.repeat(32),
      state,
      timestampMs: 5
    })
  assert.deepEqual([bring(alice)?.chain, [...state.entries()].length], ['A', 4])
  const entry = readExpertEvidenceEntry(state, 1)!
  assert.deepEqual([entry.holder, entry.reporter, entry.exhibits], [accountOf(holderKey), accountOf(alice), 1])
  assert.deepEqual([entry.weights, entry.timeMs], [[weightsCid], 5])
  assert.throws(
    () => bring(alice),
    error => isBlyanError(error, 'EXPERT_EVIDENCE_KNOWN')
  )
  assert.throws(
    () => bring(bob),
    error => isBlyanError(error, 'EVENT_NOT_AUTHORISED')
  )
  const described = handler.describePayload(payload) as { exhibits: { row: number }[] }
  assert.deepEqual(handler.encodePayload({ exhibits: described.exhibits }), payload)
})

test('with an economy it costs a fee, moves no other coin, and the state keeps the newest 1024', () => {
  const world = new LedgerWorld()
  const of = world.genesis.digest
  const json = (seed: number) => ({ exhibits: [jsonOf(exhibit(holderKey, answered(1, inInt4(weights), seed), 0, of))] })
  assert.equal(world.apply(poor, 'expert-evidence', json(0)), 'BALANCE_TOO_LOW')
  for (let seed = 1; seed <= 3; seed++) assert.equal(world.apply(rich, 'expert-evidence', json(seed)), '')
  assert.equal(world.apply(rich, 'expert-evidence', json(3)), 'EXPERT_EVIDENCE_KNOWN')
  assert.equal(expertEvidenceCount(world.state), 3)
  world.state.set('expert-evidence/count', expertEvidenceKeptMax)
  assert.equal(world.apply(rich, 'expert-evidence', json(4)), '')
  assert.equal(readExpertEvidenceEntry(world.state, 1), undefined)
  assert.equal(readExpertEvidenceEntry(world.state, expertEvidenceKeptMax + 1)?.number, expertEvidenceKeptMax + 1)
  assert.equal(readExpertEvidenceEntry(world.state, 2)?.number, 2)
})

function jsonOf(one: Exhibit) {
  const { commitment, signature, input, output, inputPath, outputPath } = one
  return {
    ...one,
    ...mapped({ commitment, signature, input, output }),
    inputPath: inputPath.map(bytesToHex),
    outputPath: outputPath.map(bytesToHex)
  }
}

function mapped(bytes: Readonly<Record<string, Uint8Array>>): Record<string, string> {
  return Object.fromEntries(Object.entries(bytes).map(([name, value]) => [name, bytesToHex(value)]))
}
