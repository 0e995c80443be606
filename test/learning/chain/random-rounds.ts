import assert from 'node:assert/strict'
import type { SigningKey } from '../../../src/codec/index.ts'
import {
  type Candidate,
  candidatesOf,
  chainLimits,
  commitsOf,
  edgeOf,
  learnersOf,
  quotas,
  readRound,
  resultsOf,
  revealsOf,
  roundParts
} from '../../../src/learning/chain/index.ts'
import { createRandom, type Random } from '../../../src/scenarios/seeded-random.ts'
import { accountOf } from '../../dag/small-network.ts'
import { operatorKey } from '../../ledger/ledger-world.ts'
import { cid, learnerKey, model, RoundWorld } from './round-world.ts'

const operators = [0, 1, 2, 3].map(operatorKey)
const phases = ['training', 'revealing', 'aggregating', 'measuring', 'publishing']
const ofPhase: Readonly<Record<string, readonly string[]>> = {
  training: ['commit', 'propose', 'measure', 'publish'],
  revealing: ['reveal'],
  aggregating: ['aggregate', 'edge', 'challenge'],
  measuring: ['measure', 'challenge'],
  publishing: ['publish']
}
const rewardUnits = 9_000_000_000n
const names = ['layer0.expert0', 'layer0.router']
const final = new Set(['refused', 'published', 'lapsed'])
const next: Readonly<Record<string, readonly string[]>> = {
  measuring: ['measuring', 'approved', 'refused', 'published', 'lapsed'],
  approved: ['approved', 'published', 'lapsed']
}

/** Random events and times in one network; after each the promises of the state machine are looked at. */
export class RandomRounds {
  readonly world: RoundWorld
  readonly applied = new Map<string, number>()
  readonly refused = new Map<string, number>()
  readonly #random: Random
  readonly #statuses = new Map<string, Candidate['status']>()
  /** Commits and proposals that were taken, by account and day. */
  readonly #spent = new Map<string, number>()
  #at = [0, 0] as readonly [number, number]
  #versions = 0
  rounds = 0
  approvals = 0

  constructor(seed: number) {
    this.#random = createRandom(seed, 'rounds')
    this.world = new RoundWorld({ parameters: { learningWorkBits: '0', periodMs: '600000' } })
    for (let place = 0; place < 4; place++) {
      const region = place < 3 ? 'eu' : 'us'
      assert.equal(this.world.join(learnerKey(place), { region }), '')
      assert.equal(this.world.corpus(learnerKey(place)), '')
    }
  }

  run(operations: number): void {
    for (let count = 0; count < operations; count++) {
      this.#step()
      this.#check(count)
      if (count % 50 === 0) this.world.requireConserved()
    }
    this.world.requireConserved()
    for (const [key, bytes] of this.world.state.entries())
      assert.ok(bytes.length <= 64 * 1024, `${key} has ${bytes.length}`)
  }

  #step(): void {
    const { world } = this
    if (this.#chance(8)) {
      world.commit(this.#pick([0, 100, 500, 500, 1000, 1000, 2000, 5000, 20_000]))
      return
    }
    const key = this.#chance(3) ? this.#operator() : learnerKey(this.#below(6))
    const [type, act] = this.#pick(this.#events(key))
    const poolBefore = world.balance('@reward-pool')
    const before = candidatesOf(world.state, model)
    const sizeBefore = world.state.size
    const wasAt = [world.round, world.phase].join()
    const refusal = act()
    const counts = refusal === '' ? this.applied : this.refused
    const name = refusal === '' ? type : `${type} ${refusal}`
    counts.set(name, (counts.get(name) ?? 0) + 1)
    if (refusal !== '') {
      assert.equal(world.state.size, sizeBefore, `${name} left something behind`)
      assert.equal([world.round, world.phase].join(), wasAt)
      assert.equal(world.balance('@reward-pool'), poolBefore)
      return
    }
    const approved = candidatesOf(world.state, model).filter(({ id, status }) => {
      const was = before.find(candidate => candidate.id === id)?.status ?? 'measuring'
      return was === 'measuring' && (status === 'approved' || status === 'published')
    })
    this.approvals += approved.length
    const published = candidatesOf(world.state, model).filter(
      ({ id, status }) =>
        status === 'published' && before.find(candidate => candidate.id === id)?.status !== 'published'
    )
    // Rounds are paid when they are approved, proposals when they are what the network has.
    const earned = [
      ...approved.filter(({ source }) => source === 'round'),
      ...published.filter(({ source }) => source === 'proposal')
    ]
    const paid = poolBefore - world.balance('@reward-pool')
    assert.ok(paid >= 0n && paid <= rewardUnits * BigInt(earned.length), `${type} paid ${paid} for ${earned.length}`)
    this.#spend(type, accountOf(key))
  }

  #events(key: SigningKey): readonly (readonly [string, () => string])[] {
    const { world } = this
    const odd = this.#chance(5)
    const candidates = candidatesOf(world.state, model)
    const open = candidates.filter(({ status }) => !final.has(status))
    const candidate = open.length > 0 && !odd ? this.#pick(open) : candidates.at(-1)
    const part = this.#pick(names)
    const primary = world.primaries(part)[odd ? this.#below(4) : 0] ?? this.#operator()
    const refuse = { verdict: 'refuse', reason: this.#pick(['no-gain', 'poisoned', 'copied', 'unavailable']) }
    const usual: (readonly [string, () => string])[] = [
      [
        'join',
        () =>
          world.join(key, {
            parts: this.#pick([['*'], ['*.expert*'], ['layer0.router']]),
            bytesMax: this.#pick([0, 64])
          })
      ],
      ['corpus', () => world.corpus(key)],
      ['commit', () => world.commitDelta(key, odd ? { baseRound: 1 + this.#below(world.round) } : {})],
      ['commit', () => world.commitDelta(key)],
      ['reveal', () => world.reveal(key, odd ? { delta: cid('odd') } : {})],
      ['reveal', () => world.reveal(key)],
      ['aggregate', () => this.#aggregate(primary, part)],
      ['aggregate', () => this.#aggregate(primary, part)],
      ['challenge', () => this.#challenge(part)],
      ['edge', () => this.#edge()],
      ['advance', () => world.apply(key, 'round-advance', { model, round: world.round, phase: world.phase })],
      ['propose', () => world.propose(key, [{ name: part, tensor: cid(`proposed ${this.#versions++}`) }])]
    ]
    if (this.#chance(12)) usual.push(['leave', () => world.apply(key, 'learner-leave', { model })])
    if (candidate !== undefined) {
      const { id, parts } = candidate
      const measured = () => world.measure(this.#operator(), id, this.#chance(6) ? refuse : {})
      for (let more = 0; more < 5; more++) usual.push(['measure', measured])
      const { name, tensor } = this.#pick(parts)
      for (let more = 0; more < 4; more++) usual.push(['publish', () => this.#publish(name, tensor)])
    }
    // Mostly what the phase is for: chance alone would seldom come to a result.
    const fitting = usual.filter(([type]) => ofPhase[world.phase]!.includes(type))
    return fitting.length > 0 && !this.#chance(4) ? fitting : usual
  }

  #aggregate(author: SigningKey, part: string): string {
    const { world } = this
    const all = world.accepted()
    const cut = this.#chance(4) ? 1 : 0
    const refused = all.slice(0, cut).map(({ account, delta }) => ({ account, delta, reason: 'poisoned' }))
    const unchanged = { parts: [{ name: part, tensor: null }] }
    return world.aggregate(author, [part], {
      accepted: all.slice(cut),
      refused,
      ...(this.#chance(6) ? unchanged : {})
    })
  }

  #challenge(part: string): string {
    const tensor = this.#chance(3) ? null : cid(`right ${part} ${this.world.round}`)
    const parts = [{ name: part, tensor }]
    return this.world.apply(this.#operator(), 'tile-challenge', { model, round: this.world.round, parts })
  }

  #edge(): string {
    const { world } = this
    const [account] = edgeOf(world.state, world.genesis, model, 'eu')
    const key = [0, 1, 2, 3, 4, 5].map(learnerKey).find(one => accountOf(one) === account) ?? learnerKey(0)
    const accepted = world.accepted().slice(0, 1)
    const sum = { update: cid('sum'), updateBytes: 5, accepted, refused: [] }
    return world.apply(key, 'edge-aggregate', { model, round: world.round, region: 'eu', ...sum })
  }

  /** Nothing becomes a version that was not approved. */
  #publish(name: string, tensor: string): string {
    const { world } = this
    const named = candidatesOf(world.state, model).some(
      ({ status, parts }) => status === 'approved' && parts.some(part => part.name === name && part.tensor === tensor)
    )
    const before = world.newest(name)
    const refusal = world.publish(this.#operator(), name, tensor)
    assert.equal(world.newest(name), refusal === '' ? tensor : before)
    assert.ok(refusal !== '' || named, `${name} was not approved`)
    return refusal
  }

  #spend(type: string, account: string): void {
    const { world } = this
    if (type !== 'commit' && type !== 'propose') return
    const key = `${account} ${Math.floor(world.nowMs / 86_400_000)}`
    this.#spent.set(key, (this.#spent.get(key) ?? 0) + 1)
    assert.ok(this.#spent.get(key)! <= quotas.established)
  }

  #check(count: number): void {
    const { world } = this
    const round = readRound(world.state, model)!
    const at = [round.number, phases.indexOf(round.phase)] as const
    assert.ok(at[0] > this.#at[0] || (at[0] === this.#at[0] && at[1] >= this.#at[1]), `back to ${at} from ${this.#at}`)
    if (at[0] > this.#at[0]) this.rounds++
    this.#at = at
    const commits = commitsOf(world.state, model)
    const reveals = revealsOf(world.state, model)
    assert.deepEqual([commits.length, reveals.length], [round.commits, round.reveals])
    assert.equal(new Set(commits.map(({ account }) => account)).size, commits.length, 'one commit for each learner')
    assert.deepEqual(
      [roundParts(world.state, model).length, resultsOf(world.state, model).length],
      [round.parts, round.results]
    )
    const { awaited } = world.state.get(`learning/round/${model}`) as { awaited: number }
    assert.ok(awaited >= 0 && awaited <= learnersOf(world.state, model).length, `${awaited} awaited`)
    if (count % 8 === 0) this.#checkCandidates()
    for (let place = 0; place < 6; place++) {
      const { used, quota } = world.trust(learnerKey(place))
      assert.ok(used <= quotas.established && quota >= quotas.newcomer)
    }
  }

  #checkCandidates(): void {
    const { world } = this
    const candidates = candidatesOf(world.state, model)
    assert.ok(candidates.length <= chainLimits.candidatesOfModel)
    const waiting = new Set<string>()
    for (const { id, status, parts } of candidates) {
      const before = this.#statuses.get(id) ?? 'measuring'
      assert.ok((next[before] ?? [before]).includes(status), `candidate ${id}: ${before} to ${status}`)
      this.#statuses.set(id, status)
      if (!final.has(status))
        for (const part of parts) if (world.newest(part.name) === part.base) waiting.add(part.tensor)
    }
    const pending = [...world.state.entries()].flatMap(([key]) =>
      key.startsWith('learning/pending/') ? [key.slice(17)] : []
    )
    assert.deepEqual(new Set(pending), waiting)
  }

  #operator(): SigningKey {
    return operators[this.#below(4)]!
  }

  #pick<T>(values: readonly T[]): T {
    return values[this.#below(values.length)]!
  }

  #below(limit: number): number {
    return this.#random.below(limit)
  }

  /** One in so many. */
  #chance(oneIn: number): boolean {
    return this.#below(oneIn) === 0
  }
}
