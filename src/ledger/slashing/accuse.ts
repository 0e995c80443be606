import { bytesToHex, hexToBytes, publicKeyToText, sha256 } from '../../codec/index.ts'
import {
  type ApplyInput,
  epochsKept,
  eventId,
  type Genesis,
  memberAt,
  readEpoch,
  type StateView
} from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { chargeFee } from '../book/fees.ts'
import { periodNow } from '../economy.ts'
import { operatorOf, readPool } from '../staking/index.ts'
import { timeOfRound } from './committed-time.ts'
import { punish } from './punish.ts'
import type { EventEvidence, OffenceKind, Punishment } from './punishments.ts'

/** Evidence costs an operator nothing: it is a duty. Others pay what any event that moves coins costs. Throws BALANCE_TOO_LOW. */
export function chargeForEvidence(state: StateView, genesis: Genesis, author: string): void {
  if (readPool(state, author) === undefined) chargeFee(state, genesis, author)
}

/** Throws EVIDENCE_EPOCH_UNKNOWN for an epoch whose set is not kept, EVIDENCE_INVALID for a place that it did not have. */
export function accusedKey(state: StateView, genesis: Genesis, epoch: number, author: number): Uint8Array {
  const now = readEpoch(state, genesis).epoch
  if (epoch > now || epoch + epochsKept(genesis) <= now) throw new BlyanError('EVIDENCE_EPOCH_UNKNOWN', { epoch, now })
  const member = memberAt(state, genesis, epoch, author)
  if (member === undefined) throw new BlyanError('EVIDENCE_INVALID', { part: `epoch ${epoch} had no member ${author}` })
  return member.publicKey
}

/** Punishes what an event has proven. Nobody is punished when nobody answers for the key any more. */
export function punishProven(
  { envelope, eventDigest, state, timestampMs }: ApplyInput,
  genesis: Genesis,
  proven: {
    readonly offence: OffenceKind
    readonly key: Uint8Array
    readonly epoch: number
    readonly round: number | null
    readonly fault: string
  }
): Punishment | undefined {
  const { offence, epoch, round, fault } = proven
  const key = publicKeyToText(proven.key)
  const operator = operatorOf(state, key)
  if (operator === undefined) return undefined
  const evidence: EventEvidence = {
    kind: 'event',
    event: eventId(hexToBytes(eventDigest)!).toString(),
    digest: bytesToHex(sha256(envelope.payload)),
    reporter: publicKeyToText(envelope.author),
    round,
    fault
  }
  const offenceMs = timeOfRound(state, round, periodNow(state, genesis).number)
  return punish({ state, genesis, nowMs: timestampMs }, { operator, key, offence, epoch, offenceMs, evidence })
}
