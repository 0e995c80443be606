import { z } from 'zod'
import { bytesToHex, type CanonicalValue, hexToBytes } from '../codec/index.ts'
import { currentSet, type EventHandler, type Genesis, type StateView } from '../dag/index.ts'
import { BlyanError } from '../errors/index.ts'
import { balanceOf, type LedgerInput, ledgerHandler, numberOf, systemAccounts, totalBonded } from '../ledger/index.ts'
import { judgedHealth } from './health.ts'
import type { Health } from './observations.ts'
import { heldBy, holdingOf, ownerOf, type Responsibility } from './responsibilities.ts'

type Common = { readonly holder: string; readonly atMs: number; readonly number: number }

/** Where nodes are found, as the holder of the registry knows them. */
export type RegistryRecord = Common & {
  readonly nodes: readonly { readonly peerId: string; readonly addresses: readonly string[] }[]
}
/** A certified checkpoint that the notary bears witness to. */
export type NotaryRecord = Common & { readonly sequence: number; readonly digest: string }
/** What the holder of the core found wrong, and what the state said then. */
export type CoreRecord = Common & {
  readonly concerns: readonly Concern[]
  readonly ownerHealth: Health
  readonly members: number
  readonly bondedUnits: string
  readonly treasuryUnits: string
}
export type DutyRecords = {
  readonly core: CoreRecord
  readonly notary: NotaryRecord
  readonly registry: RegistryRecord
}

export const concerns = ['owner-away', 'few-validators', 'treasury-empty', 'rewards-empty'] as const
export type Concern = (typeof concerns)[number]

const nodesMax = 64
const addressesMax = 4
/** Of the newest checkpoints, the digests: what a notary can bear witness to. */
const checkpointsKept = 32
const checkpointKey = (sequence: number): string => `checkpoint-digest/${sequence % checkpointsKept}`

export function recordOf<Name extends Responsibility>(state: StateView, name: Name): DutyRecords[Name] | undefined {
  return state.get(`record/${name}`) as DutyRecords[Name] | undefined
}

/** When the holder of now has to publish its next record: an elected one at once, the owner of genesis after a while. */
export function dutyDueMs(state: StateView, genesis: Genesis, name: Responsibility): number {
  const { holder, sinceMs, because } = holdingOf(state, name)
  const dutyMs = numberOf(state, genesis, 'dutyMs')
  const record = recordOf(state, name)
  if (record !== undefined && record.holder === holder && record.atMs >= sinceMs) return record.atMs + dutyMs
  return because === 'genesis' ? sinceMs + dutyMs : sinceMs
}

/** Whether a holder has missed a whole time of duty. */
export function isDutyLate(state: StateView, genesis: Genesis, account: string, nowMs: number): boolean {
  const dutyMs = numberOf(state, genesis, 'dutyMs')
  return heldBy(state, account).some(name => nowMs > dutyDueMs(state, genesis, name) + dutyMs)
}

/** Digests cannot be in the root of their own checkpoint; this one is in the next. */
export function noteCheckpoint(
  state: StateView,
  checkpoint: { readonly sequence: number; readonly digest: string }
): void {
  const { sequence, digest } = checkpoint
  state.set(checkpointKey(sequence), { sequence, digest: hexToBytes(digest)! })
}

export function recordHandlers(genesis: Genesis): EventHandler[] {
  return [
    ledgerHandler({
      type: 'registry-record',
      purpose: 'The holder of the registry publishes where nodes are found',
      genesis,
      schema: z.strictObject({
        nodes: z
          .array(
            z.strictObject({
              peerId: z.string().regex(/^[1-9A-HJ-NP-Za-km-z]{32,64}$/),
              addresses: z.array(z.string().max(192).startsWith('/')).min(1).max(addressesMax)
            })
          )
          .max(nodesMax)
          .refine(nodes => new Set(nodes.map(({ peerId }) => peerId)).size === nodes.length, 'one node twice')
      }),
      payloadBytesMax: 48 * 1024,
      isFree: true,
      apply: (input, { nodes }) => publish(input, 'registry', { nodes })
    }),
    ledgerHandler({
      type: 'notary-record',
      purpose: 'The holder of the notary bears witness to a certified checkpoint',
      genesis,
      schema: z.strictObject({ sequence: z.int().min(1), digest: z.string().regex(/^[0-9a-f]{64}$/) }),
      isFree: true,
      apply: (input, { sequence, digest }) => {
        const noted = input.state.get(checkpointKey(sequence)) as { sequence: number; digest: Uint8Array } | undefined
        if (noted?.sequence !== sequence || bytesToHex(noted.digest) !== digest)
          throw new BlyanError('DUTY_CHECKPOINT_WRONG', { sequence })
        publish(input, 'notary', { sequence, digest })
      }
    }),
    ledgerHandler({
      type: 'core-record',
      purpose: 'The holder of the core says what it finds wrong with the network',
      genesis,
      schema: z.strictObject({
        concerns: z
          .array(z.enum(concerns))
          .max(concerns.length)
          .refine(found => new Set(found).size === found.length, 'one concern twice')
      }),
      isFree: true,
      apply: (input, payload) => {
        const { state } = input
        publish(input, 'core', {
          concerns: payload.concerns,
          ownerHealth: judgedHealth(state, genesis, ownerOf(genesis)).health,
          members: currentSet(state, genesis).members.length,
          bondedUnits: totalBonded(state).toString(),
          treasuryUnits: balanceOf(state, systemAccounts.treasury, 'BLY').toString()
        })
      }
    })
  ]
}

/** Throws RESPONSIBILITY_NOT_HELD, DUTY_TOO_SOON. */
function publish(input: LedgerInput, name: Responsibility, found: Readonly<Record<string, CanonicalValue>>): void {
  const { state, genesis, author, timestampMs } = input
  const { holder, sinceMs } = holdingOf(state, name)
  if (holder !== author) throw new BlyanError('RESPONSIBILITY_NOT_HELD', { responsibility: name, holder, author })
  const last = recordOf(state, name)
  // A new holder begins at once.
  if (last !== undefined && last.holder === author && last.atMs >= sinceMs) {
    const elapsedMs = timestampMs - last.atMs
    const neededMs = numberOf(state, genesis, 'dutyMs')
    if (elapsedMs < neededMs) throw new BlyanError('DUTY_TOO_SOON', { responsibility: name, elapsedMs, neededMs })
  }
  state.set(`record/${name}`, { holder: author, atMs: timestampMs, number: (last?.number ?? 0) + 1, ...found })
}
