import type { z } from 'zod'
import type { EventHandler, Genesis, StateView } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { move, systemAccounts } from '../book/book.ts'
import { type LedgerInput, ledgerHandler } from '../book/ledger-handler.ts'
import { numberOf, parameterOf } from '../parameters.ts'
import { readPool } from '../staking/index.ts'
import { requirePeerProof } from '../staking/proofs.ts'
import { requireGiftConsent } from './consent.ts'
import { takeOffer } from './growth.ts'
import { beat, watched } from './liveness.ts'
import {
  addGifted,
  type GiftedNode,
  giftedMax,
  giftedNodes,
  noCalls,
  noneServed,
  readGifted,
  requireGifted
} from './node.ts'
import { heartbeatPayload, registerPayload, retirePayload } from './payloads.ts'
import { releaseGifted } from './release.ts'

/** `gifted-register`, `gifted-heartbeat` and `gifted-retire`. */
export function giftedHandlers(genesis: Genesis): EventHandler[] {
  return [
    ledgerHandler({
      type: 'gifted-register',
      purpose: 'gives a node to the network, with what it has and what it promises',
      genesis,
      schema: registerPayload,
      apply: register
    }),
    ledgerHandler({
      type: 'gifted-heartbeat',
      purpose: 'says that a gifted node serves, with what it has now',
      genesis,
      schema: heartbeatPayload,
      isFree: true,
      apply: heartbeat
    }),
    ledgerHandler({
      type: 'gifted-retire',
      purpose: 'takes a gifted node back, with its deposit',
      genesis,
      schema: retirePayload,
      apply: retire
    })
  ]
}

function register(input: LedgerInput, payload: z.output<typeof registerPayload>): void {
  const { state, genesis, author, timestampMs } = input
  const { giftedBy, peerId, specialisation, uptimePpm, sharePpm, measured } = payload
  if (readGifted(state, author) !== undefined) throw new BlyanError('GIFTED_ALREADY', { account: author })
  requirePeerProof(genesis.digest, author, peerId, payload.peerProof)
  const gift = { account: author, kind: giftedBy.kind, uptimePpm, sharePpm }
  requireGiftConsent(genesis.digest, gift, giftedBy.account, payload.consent)
  if (giftedBy.kind === 'validator' && readPool(state, giftedBy.account) === undefined)
    throw new BlyanError('GIFTED_GIFTER_NOT_VALIDATOR', { gifter: giftedBy.account })
  if ((payload.priority !== null) !== (giftedBy.kind === 'deployer')) throw new BlyanError('GIFTED_PRIORITY_WRONG')
  if (giftedNodes(state).some(node => node.peerId === peerId)) throw new BlyanError('GIFTED_PEER_TAKEN', { peerId })
  makeRoom(state)
  const deposit = parameterOf(state, genesis, 'giftedDepositUnits')
  move(state, author, systemAccounts.escrow, 'BLY', deposit)
  const { kind, ...capacities } = specialisation as { readonly kind: GiftedNode['specialisation'] }
  const vouchedUntilMs = timestampMs + numberOf(state, genesis, 'giftedSilentMs')
  const node: GiftedNode = {
    account: author,
    peerId,
    name: payload.name,
    giftedBy,
    specialisation: kind,
    capacities,
    claimed: payload.claimed,
    measured,
    leastMeasured: measured,
    uptimePpm,
    sharePpm,
    priority: payload.priority,
    depositUnits: deposit.toString(),
    registeredAtMs: timestampMs,
    heartbeatMs: timestampMs,
    isActive: true,
    vouchedUntilMs,
    vouchedMs: 0,
    countedUntilMs: timestampMs,
    observed: { reachable: 0, unreachable: 0 },
    served: noneServed,
    calls: noCalls,
    bonus: null,
    grant: null,
    watchMs: vouchedUntilMs
  }
  addGifted(state, watched(state, takeOffer({ state, genesis, nowMs: timestampMs }, node)))
}

function heartbeat(input: LedgerInput, { measured }: z.output<typeof heartbeatPayload>): void {
  const { state, genesis, author, timestampMs } = input
  const node = requireGifted(state, author)
  const nextMs = node.heartbeatMs + Math.floor(numberOf(state, genesis, 'giftedHeartbeatMs') / 2)
  if (timestampMs < nextMs) throw new BlyanError('GIFTED_HEARTBEAT_EARLY', { waitMs: nextMs - timestampMs })
  beat({ state, genesis, nowMs: timestampMs }, node, measured)
}

/** By the node, or by whoever gave it. */
function retire({ state, author }: LedgerInput, { account }: z.output<typeof retirePayload>): void {
  const node = requireGifted(state, account)
  if (author !== account && author !== node.giftedBy.account) throw new BlyanError('GIFTED_NOT_YOURS', { account })
  releaseGifted(state, node)
}

/** Of those that are silent the longest silent gives way. Throws GIFTED_FULL when all serve. */
function makeRoom(state: StateView): void {
  const nodes = giftedNodes(state)
  if (nodes.length < giftedMax) return
  const silent = nodes.filter(node => !node.isActive).sort((one, other) => one.heartbeatMs - other.heartbeatMs)[0]
  if (silent === undefined) throw new BlyanError('GIFTED_FULL', { most: giftedMax })
  releaseGifted(state, silent)
}
