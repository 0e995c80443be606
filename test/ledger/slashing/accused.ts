import { bytesToHex, type SigningKey, sha256 } from '../../../src/codec/index.ts'
import { encodeHeader, type VertexHeader, vertexSigningBytes } from '../../../src/consensus/core/vertex.ts'
import { encodeEvidence } from '../../../src/dag/index.ts'
import { type Punishment, punishmentCount, readPunishment } from '../../../src/ledger/slashing/index.ts'
import { type LedgerWorld, operatorKey, validatorKey } from '../ledger-world.ts'
import { StakingWorld } from '../staking-world.ts'

export const dayMs = 24 * 3_600_000
export const hourMs = 3_600_000
/** Place of the validator that misbehaves. */
export const offender = 2
export const operator = operatorKey(offender)

/** Days are as long as they are: punishments are counted in them. */
export function slashingWorld(parameters: Record<string, string> = {}, operators = 4): StakingWorld {
  return new StakingWorld({
    operators,
    parameters: {
      periodMs: String(hourMs),
      downtimeAfterMs: String(dayMs),
      unbondingMs: String(21 * dayMs),
      ...parameters
    }
  })
}

/** A signed header of the offender; two with other times are two vertices of one slot. */
export function signedHeader(
  world: LedgerWorld,
  changes: Partial<VertexHeader> = {},
  by: SigningKey = validatorKey(offender)
): { headerBytes: Uint8Array; bytes: Uint8Array; signature: Uint8Array } {
  const headerBytes = encodeHeader({
    epoch: 0,
    round: 7,
    author: offender,
    timestampMs: 1000,
    parents: [],
    eventCount: 0,
    bodyDigest: bytesToHex(sha256(new Uint8Array(0))),
    votes: [],
    ...changes
  })
  const digest = bytesToHex(sha256(headerBytes))
  return { headerBytes, bytes: headerBytes, signature: by.sign(vertexSigningBytes(world.genesis.digest, digest)) }
}

export function twice(world: LedgerWorld, changes: Partial<VertexHeader> = {}, by?: SigningKey): Uint8Array {
  return encodeEvidence(signedHeader(world, changes, by), signedHeader(world, { ...changes, timestampMs: 2000 }, by))
}

export function isMember(world: LedgerWorld, place = offender): boolean {
  const { publicKey } = validatorKey(place)
  return world.members.some(member => Buffer.compare(member.publicKey, publicKey) === 0)
}

export function punishments(world: LedgerWorld): Punishment[] {
  return Array.from({ length: punishmentCount(world.state) }, (_, place) =>
    readPunishment(world.state, String(place + 1))
  ).filter(one => one !== undefined)
}
