import { z } from 'zod'
import {
  type EventHandler,
  epochsKept,
  type Genesis,
  keyTextOf,
  memberAt,
  memberTextMax,
  readEpoch
} from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { type LedgerInput, ledgerHandler } from '../book/ledger-handler.ts'
import { dayMs } from '../parameter-tables/parameter.ts'
import { numberOf, parameterOf } from '../parameters.ts'
import { isPublicKeyText } from '../payload.ts'
import { noteSetMayChange, selfStakeOf } from './next-set.ts'
import { listIfFit, requirePool, tidyPool, watchIdle } from './pool-life.ts'
import {
  claimIdentity,
  operatorOf,
  operatorOfPeer,
  type Pool,
  readPool,
  withIdentity,
  writePool
} from './pool-records.ts'
import { requireKeyProof, requirePeerProof } from './proofs.ts'

const keyText = z.string().refine(isPublicKeyText, 'not a public key')
const peerIdText = z.string().regex(/^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/, 'not a peer id')
const signatureText = z.string().regex(/^[0-9a-f]{128}$/, 'not a signature in hex')
const label = z.string().max(memberTextMax.short)
const website = z
  .string()
  .max(128)
  .regex(/^(https?:\/\/[!-~]+)?$/, 'not the address of a website')
const commission = z.int().min(0).max(10_000)

const joinJson = z.strictObject({
  key: keyText,
  /** By the consensus key over the genesis digest and the account (docs/protocol.md, "Operators"). */
  proof: signatureText,
  peerId: peerIdText,
  /** The same by the key of the node. */
  peerProof: signatureText,
  name: label.min(1),
  origin: label,
  region: label,
  commissionBasisPoints: commission,
  website: website.default('')
})
const editJson = z.strictObject({
  name: label.min(1).nullable().default(null),
  origin: label.nullable().default(null),
  region: label.nullable().default(null),
  commissionBasisPoints: commission.nullable().default(null),
  website: website.nullable().default(null)
})
const rotateJson = z.strictObject({
  key: keyText,
  proof: signatureText,
  peerId: peerIdText.nullable().default(null),
  peerProof: signatureText.nullable().default(null)
})
const nothing = z.strictObject({})

/** Events by which an account answers for a validator. */
export function operatorHandlers(genesis: Genesis): EventHandler[] {
  return [
    ledgerHandler({
      type: 'operator-join',
      purpose: 'the author answers for a validator, with its stake',
      genesis,
      schema: joinJson,
      apply: join
    }),
    ledgerHandler({
      type: 'operator-leave',
      purpose: "the author's validator leaves with the next set",
      genesis,
      schema: nothing,
      apply: leave
    }),
    ledgerHandler({
      type: 'operator-edit',
      purpose: "changes what the author's validator says of itself, and its commission",
      genesis,
      schema: editJson,
      apply: edit
    }),
    ledgerHandler({
      type: 'operator-unjail',
      purpose: "lets the author's validator back in after a jail",
      genesis,
      schema: nothing,
      apply: unjail
    }),
    ledgerHandler({
      type: 'operator-rotate',
      purpose: "the author's validator signs with another key from the next set on",
      genesis,
      schema: rotateJson,
      apply: rotate
    })
  ]
}

function join(input: LedgerInput, payload: z.output<typeof joinJson>): void {
  const { state, genesis, author, timestampMs } = input
  const known = readPool(state, author)
  if (known?.isTombstoned === true) throw new BlyanError('OPERATOR_TOMBSTONED', { operator: author })
  if (known !== undefined && !known.isLeaving) throw new BlyanError('OPERATOR_ALREADY', { operator: author })
  requireIdentity(input, payload.key, payload.proof)
  requirePeer(input, payload.peerId, payload.peerProof)
  const { name, origin, region, website, commissionBasisPoints } = payload
  if (known === undefined) {
    const pool = {
      ...emptyPool(author, payload.key, payload.peerId, timestampMs),
      name,
      origin,
      region,
      website,
      commissionBasisPoints
    }
    writePool(state, pool)
    claimIdentity(state, pool)
    watchIdle({ state, genesis, nowMs: timestampMs }, author)
    return
  }
  // Who left and comes back has the same people's coins: the commission rises no faster than if it had stayed.
  const back = {
    ...known,
    ...raised(input, known, commissionBasisPoints),
    name,
    origin,
    region,
    website,
    isLeaving: false
  }
  const pool = withIdentity(state, back, { key: payload.key, peerId: payload.peerId, wasInSet: wasInSet(input, known) })
  writePool(state, pool)
  listIfFit(state, genesis, pool)
  noteSetMayChange(state)
}

function leave({ state, genesis, author }: LedgerInput): void {
  const pool = requirePool(state, author)
  if (pool.isLeaving) throw new BlyanError('OPERATOR_LEAVING_ALREADY', { operator: author })
  writePool(state, { ...pool, isLeaving: true })
  noteSetMayChange(state)
  tidyPool(state, genesis, author)
}

function edit(input: LedgerInput, payload: z.output<typeof editJson>): void {
  const { state, author } = input
  const pool = requirePool(state, author)
  const next = {
    ...pool,
    name: payload.name ?? pool.name,
    origin: payload.origin ?? pool.origin,
    region: payload.region ?? pool.region,
    website: payload.website ?? pool.website,
    ...raised(input, pool, payload.commissionBasisPoints ?? pool.commissionBasisPoints)
  }
  if (
    (['name', 'origin', 'region', 'website', 'commissionBasisPoints'] as const).every(part => next[part] === pool[part])
  )
    throw new BlyanError('OPERATOR_NOTHING_TO_EDIT', { operator: author })
  writePool(state, next)
}

function unjail({ state, genesis, author, timestampMs }: LedgerInput): void {
  const pool = requirePool(state, author)
  if (pool.isTombstoned) throw new BlyanError('OPERATOR_TOMBSTONED', { operator: author })
  if (pool.jailedUntilMs === null) throw new BlyanError('OPERATOR_NOT_JAILED', { operator: author })
  if (timestampMs < pool.jailedUntilMs)
    throw new BlyanError('OPERATOR_JAILED_STILL', { until: new Date(pool.jailedUntilMs).toISOString() })
  const self = selfStakeOf(state, author)
  const least = parameterOf(state, genesis, 'selfStakeMinUnits')
  if (self < least) throw new BlyanError('SELF_STAKE_TOO_LOW', { stake: self.toString(), least: least.toString() })
  const free = { ...pool, jailedUntilMs: null, jailReason: null }
  writePool(state, free)
  if (!pool.isLeaving && listIfFit(state, genesis, free) === undefined) throw new BlyanError('OPERATORS_FULL')
  noteSetMayChange(state)
}

function rotate(input: LedgerInput, payload: z.output<typeof rotateJson>): void {
  const { state, author } = input
  const pool = requirePool(state, author)
  if (pool.isTombstoned) throw new BlyanError('OPERATOR_TOMBSTONED', { operator: author })
  if (payload.key === pool.key && payload.peerId === null)
    throw new BlyanError('OPERATOR_KEY_TAKEN', { key: payload.key })
  requireIdentity(input, payload.key, payload.proof)
  const { peerId, peerProof } = payload
  if (peerId !== null) requirePeer(input, peerId, peerProof ?? '')
  writePool(
    state,
    withIdentity(state, pool, { key: payload.key, peerId: peerId ?? pool.peerId, wasInSet: wasInSet(input, pool) })
  )
  noteSetMayChange(state)
}

/** A consensus key that is nobody else's, whose owner wants it to be this account's. */
function requireIdentity({ state, genesis, author }: LedgerInput, key: string, proof: string): void {
  const owner = operatorOf(state, key)
  if (owner !== undefined && owner !== author) throw new BlyanError('OPERATOR_KEY_TAKEN', { key })
  requireKeyProof(genesis.digest, author, key, proof)
}

function requirePeer({ state, genesis, author }: LedgerInput, peerId: string, proof: string): void {
  const owner = operatorOfPeer(state, peerId)
  if (owner !== undefined && owner !== author) throw new BlyanError('OPERATOR_PEER_ID_TAKEN', { peerId })
  requirePeerProof(genesis.digest, author, peerId, proof)
}

/** A commission rises once a day and by little: whoever has bonded can leave before it hurts. */
function raised(
  { state, genesis, timestampMs }: LedgerInput,
  pool: Pool,
  commissionBasisPoints: number
): Pick<Pool, 'commissionBasisPoints' | 'commissionRaisedMs'> {
  const { commissionRaisedMs } = pool
  if (commissionBasisPoints <= pool.commissionBasisPoints) return { commissionBasisPoints, commissionRaisedMs }
  const most = numberOf(state, genesis, 'commissionChangePerDay')
  if (commissionBasisPoints - pool.commissionBasisPoints > most)
    throw new BlyanError('COMMISSION_RAISE_TOO_LARGE', { most, now: pool.commissionBasisPoints })
  const nextMs = commissionRaisedMs + Number(dayMs)
  if (timestampMs < nextMs) throw new BlyanError('COMMISSION_RAISE_TOO_SOON', { next: new Date(nextMs).toISOString() })
  return { commissionBasisPoints, commissionRaisedMs: timestampMs }
}

/** Whether a key is in one of the sets that are kept: only then it can be accused of anything. */
function wasInSet({ state, genesis }: LedgerInput, pool: Pool): boolean {
  const { epoch } = readEpoch(state, genesis)
  for (let earlier = epoch; earlier >= 0 && earlier > epoch - epochsKept(genesis); earlier--)
    for (let place = 0; ; place++) {
      const member = memberAt(state, genesis, earlier, place)
      if (member === undefined) break
      if (keyTextOf(member) === pool.key) return true
    }
  return false
}

export function emptyPool(operator: string, key: string, peerId: string, nowMs: number): Pool {
  return {
    operator,
    key,
    name: '',
    peerId,
    origin: '',
    region: '',
    website: '',
    commissionBasisPoints: 0,
    commissionRaisedMs: nowMs,
    stakeUnits: 0n,
    shareUnits: 0n,
    earningsIndex: 0n,
    earningsRest: 0n,
    commissionUnits: 0n,
    status: 'unbonded',
    unbondedAtMs: null,
    jailedUntilMs: null,
    jailReason: null,
    isTombstoned: false,
    isLeaving: false,
    joinedMs: nowMs,
    isListed: false,
    pastKeys: []
  }
}
