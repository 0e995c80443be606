import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { generateSigningKey, sha256 } from '../../src/codec/index.ts'
import { exhibitOf } from '../../src/guardian/answers/expert-evidence.ts'
import {
  createReputation,
  createSamplingSchedule,
  expertOutput,
  judge,
  type Reputation,
  rowDifference,
  statementsOf,
  tolerances
} from '../../src/guardian/index.ts'
import { peerIdOfPublicKey, publicKeyOfPeerId } from '../../src/net/index.ts'
import type { AuditedCall, CallAuditorNeeds, Recheck, WrongRow } from '../../src/routing/index.ts'
import { createCallAuditor, createCommitter } from '../../src/routing/index.ts'
import { finish, gatewayId, network, random, weightsCid } from '../guardian/answers/expert-world.ts'
import { type AnswerPool, makePool, poolWidth as width } from './answer-pool.ts'

const silent = { debug: () => {}, info: () => {}, warn: () => {} }
const holderKey = generateSigningKey()
const holder = peerIdOfPublicKey(holderKey.publicKey)
let pools: readonly AnswerPool[] = []

before(async () => {
  pools = await Promise.all([
    makePool('fp32', 'random', 1),
    makePool('fp32', 'realistic', 2),
    makePool('int8', 'random', 3),
    makePool('int8', 'realistic', 4)
  ])
})

/** What the auditor decides for one row, without its signatures: for many runs. */
function isFound(pool: AnswerPool, row: number, answered: Float32Array, arithmetic: 'float' | 'integer'): boolean {
  const home = pool.honest[0]!
  const difference = rowDifference(home.outputs[row]!, answered)!
  if (home.arithmetic === arithmetic && difference <= tolerances[arithmetic]) return false
  const truth = finish(expertOutput(pool.weights, pool.inputs[row]!, arithmetic))
  return rowDifference(truth, answered)! > tolerances[arithmetic]
}

test('int4 instead of the named weights is found within 50 calls, whenever it begins, in thousands of runs', () => {
  const runs = 4000
  let most = 0
  let sum = 0
  for (let seed = 0; seed < runs; seed++) {
    const next = random(seed)
    const pool = pools[seed % pools.length]!
    const { arithmetic } = pool.honest[0]!
    const schedule = createSamplingSchedule(sha256(Buffer.from(`gateway ${seed}`)))
    const reputation = createReputation()
    // Honest for a while first: new, then known to be good.
    const beginsAt = Math.floor(next() * 120)
    let call = 0
    for (; reputation.standing(holder, call) !== 'quarantined'; call++) {
      const isLying = call >= beginsAt
      const row = Math.floor(next() * pool.inputs.length)
      if (!schedule.isSampled(holder, reputation.isWatched(holder, call))) continue
      const answered = isLying ? pool.int4[row]! : pool.honest[1]!.outputs[row]!
      reputation.note(holder, isFound(pool, row, answered, arithmetic) ? 'wrong' : 'right', call)
      assert.ok(isLying || reputation.standing(holder, call) === 'good', 'an honest call was flagged')
    }
    most = Math.max(most, call - beginsAt)
    sum += call - beginsAt
  }
  assert.ok(most <= 50, `${most} calls`)
  assert.ok(sum / runs < 25)
})

test('honest differences are never flagged, in 10,000 rows over threads, batches, kernels and arithmetics', () => {
  let largest = 0
  let checked = 0
  const next = random(99)
  for (; checked < 10_000; checked++) {
    const pool = pools[checked % pools.length]!
    const machine = pool.honest[Math.floor(next() * pool.honest.length)]!
    const row = Math.floor(next() * pool.inputs.length)
    assert.equal(isFound(pool, row, machine.outputs[row]!, machine.arithmetic), false)
    const truth = finish(expertOutput(pool.weights, pool.inputs[row]!, machine.arithmetic))
    largest = Math.max(largest, rowDifference(truth, machine.outputs[row]!)! / tolerances[machine.arithmetic])
  }
  // Far from the limit, not just below it.
  assert.ok(largest < 0.1, `${largest} of the tolerance`)
})

type World = {
  readonly reputation: Reputation
  readonly wrong: WrongRow[]
  readonly rechecked: Recheck[]
  answer(row: number, output: Float32Array, changes?: Partial<AuditedCall>): AuditedCall
  readonly auditor: ReturnType<typeof createCallAuditor>
}

function world(pool: AnswerPool, changes: Partial<CallAuditorNeeds> = {}): World {
  const reputation = createReputation()
  const wrong: WrongRow[] = []
  const rechecked: Recheck[] = []
  const { arithmetic, outputs } = pool.honest[0]!
  const committer = createCommitter({ key: holderKey, network, gateway: gatewayId, arithmetic: () => arithmetic })
  let calls = 0
  const auditor = createCallAuditor({
    network,
    gateway: gatewayId,
    secret: new Uint8Array(32).fill(3),
    reputation,
    keyOfPeer: publicKeyOfPeerId,
    recompute: async recheck => {
      rechecked.push(recheck)
      const row = pool.inputs.findIndex(input => input.every((value, place) => value === recheck.input[place]))
      return { output: outputs[row]!, arithmetic }
    },
    lastWord: async (recheck, named) => finish(expertOutput(pool.weights, recheck.input, named)),
    onWrong: found => wrong.push(found),
    nowMs: () => 0,
    logger: silent,
    ...changes
  })
  return {
    reputation,
    wrong,
    rechecked,
    auditor,
    answer: (row, output, other = {}) => {
      const loads = [{ weights: weightsCid, width, input: pool.inputs[row]!, output }]
      const request = `call-${++calls}`
      const commitment = committer.commit({ request, layer: 2, loads })
      return { holder, request, model: 'm', layer: 2, loads, commitment, ...other }
    }
  }
}

test('a holder that lies from its first call is in quarantine before the eighth, and leaves evidence', async () => {
  for (const pool of pools) {
    const { auditor, answer, reputation, wrong } = world(pool)
    for (let call = 0; call < 8; call++) auditor.onCall(answer(call, pool.int4[call]!))
    await settled(() => wrong.length > 0)
    assert.equal(reputation.standing(holder, 0), 'quarantined')
    const { call, load, row } = wrong[0]!
    const [statement] = statementsOf([exhibitOf(call.commitment, call.loads, { load, row })], network)
    const judgement = finish(judge(statement!, pool.weights))
    assert.equal(judgement.isProven, true)
    assert.ok(judgement.difference > 0.05 && judgement.doubt < judgement.difference / 2)
  }
})

test('an honest holder stays good, and only one call in 25 is computed again once it is known', async () => {
  const pool = pools[2]!
  const { auditor, answer, reputation, rechecked } = world(pool)
  for (let call = 0; call < 400; call++) {
    auditor.onCall(answer(call % 24, pool.honest[call % 4]!.outputs[call % 24]!))
    if (call % 8 === 7) await settled(() => false, 3)
  }
  await auditor.stop()
  assert.equal(reputation.standing(holder, 0), 'good')
  assert.ok(rechecked.length >= 16 && rechecked.length <= 30, `${rechecked.length}`)
})

test('where two machines do not agree the weights decide: who asked is not believed either', async () => {
  const pool = pools[0]!
  const broken = pool.honest[0]!.outputs.map(row => row.map(value => value * 1.5))
  const { auditor, answer, reputation } = world(pool, {
    recompute: async recheck => {
      const row = pool.inputs.findIndex(input => input.every((value, place) => value === recheck.input[place]))
      return { output: broken[row]!, arithmetic: 'float' }
    }
  })
  for (let row = 0; row < 16; row++)
    assert.equal(await auditor.check(answer(row, pool.honest[1]!.outputs[row]!)), 'right')
  assert.equal(await auditor.check(answer(3, pool.int4[3]!)), 'wrong')
  assert.equal(reputation.standing(holder, 0), 'quarantined')
})

test('without the weights another holder is asked, and the one that lies is found among the two', async () => {
  const pool = pools[0]!
  const otherKey = generateSigningKey()
  const other = peerIdOfPublicKey(otherKey.publicKey)
  const committer = createCommitter({ key: otherKey, network, gateway: gatewayId, arithmetic: () => 'float' })
  let asked = 0
  const { auditor, answer, reputation } = world(pool, {
    recompute: async () => undefined,
    ask: async ({ input, model, layer }) => {
      const row = pool.inputs.findIndex(one => one.every((value, place) => value === input[place]))
      const loads = [{ weights: weightsCid, width, input, output: pool.int4[row]! }]
      const request = `other-${++asked}`
      return { holder: other, request, model, layer, loads, commitment: committer.commit({ request, layer, loads }) }
    }
  })
  assert.equal(await auditor.check(answer(1, pool.honest[1]!.outputs[1]!)), 'right')
  assert.equal(reputation.standing(holder, 0), 'good')
  assert.equal(reputation.standing(other, 0), 'quarantined')
})

test('a canary of earlier traffic finds a liar when its own rows cannot be looked at', async () => {
  const pool = pools[0]!
  let isHere = true
  const otherKey = generateSigningKey()
  const other = peerIdOfPublicKey(otherKey.publicKey)
  const theirs = createCommitter({ key: otherKey, network, gateway: gatewayId, arithmetic: () => 'float' })
  let asked = 0
  const commit = (input: Float32Array, output: Float32Array): AuditedCall => {
    const loads = [{ weights: weightsCid, width, input, output }]
    const request = `theirs-${++asked}`
    return {
      holder: other,
      request,
      model: 'm',
      layer: 2,
      loads,
      commitment: theirs.commit({ request, layer: 2, loads })
    }
  }
  const rowOf = (input: Float32Array) =>
    pool.inputs.findIndex(one => one.every((value, place) => value === input[place]))
  const { auditor, answer, reputation } = world(pool, {
    recompute: async ({ input }) =>
      isHere ? { output: pool.honest[0]!.outputs[rowOf(input)]!, arithmetic: 'float' } : undefined,
    lastWord: async () => undefined,
    ask: async ({ input }, whom) => ('holder' in whom ? commit(input, pool.int4[rowOf(input)]!) : undefined)
  })
  for (let row = 0; row < 12; row++)
    assert.equal(await auditor.check(answer(row, pool.honest[1]!.outputs[row]!)), 'right')
  isHere = false
  for (let row = 12; row < 24; row++) auditor.onCall(commit(pool.inputs[row]!, pool.int4[row]!))
  await settled(() => reputation.standing(other, 0) === 'quarantined')
  assert.equal(reputation.standing(other, 0), 'quarantined')
  assert.equal(reputation.standing(holder, 0), 'good')
})

test('an answer that its holder does not sign for, or signs otherwise, puts it in quarantine at once', async () => {
  const pool = pools[0]!
  const right = pool.honest[0]!.outputs
  const forged = (call: AuditedCall): AuditedCall => ({
    ...call,
    commitment: {
      ...call.commitment,
      signature: call.commitment.signature.map((byte, place) => byte ^ (place === 9 ? 1 : 0))
    }
  })
  const tampered = (call: AuditedCall): AuditedCall => ({
    ...call,
    loads: call.loads.map(load => ({
      ...load,
      output: load.output.map((value, place) => value + (place === 5 ? 1e-3 : 0))
    }))
  })
  for (const spoil of [forged, tampered, (call: AuditedCall): AuditedCall => ({ ...call, request: 'another' })]) {
    const { auditor, answer, reputation } = world(pool)
    assert.equal(await auditor.check(answer(0, right[0]!)), 'right')
    auditor.onCall(spoil(answer(1, right[1]!)))
    await settled(() => reputation.standing(holder, 0) === 'quarantined')
    assert.equal(reputation.standing(holder, 0), 'quarantined')
  }
})

test('what cannot be looked at is nobody’s fault, and a check that fails is ours', async () => {
  const pool = pools[0]!
  for (const changes of [
    { recompute: async () => undefined, lastWord: async () => undefined },
    { recompute: () => Promise.reject(new Error('the engine stopped')) }
  ]) {
    const { auditor, answer, reputation } = world(pool, changes)
    for (let call = 0; call < 24; call++) auditor.onCall(answer(call, pool.int4[call]!))
    await settled(() => false, 10)
    await auditor.stop()
    assert.equal(reputation.standing(holder, 0), 'good')
  }
})

async function settled(condition: () => boolean, turnsMax = 400): Promise<void> {
  for (let turn = 0; turn < turnsMax && !condition(); turn++) await new Promise(resolve => setTimeout(resolve, 2))
}
