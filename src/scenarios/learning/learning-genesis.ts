import { rawCid, sha256 } from '../../codec/index.ts'
import { type Genesis, type GenesisFile, genesisOf } from '../../dag/index.ts'
import { unitsPerCoin } from '../../ledger/index.ts'
import type { Participant } from '../participant.ts'
import type { LearningSetting } from './setting.ts'

export type SimulatedOperator = {
  readonly account: Participant
  readonly validator: Participant
  readonly region: number
}

const createdAt = '2026-01-01T00:00:00Z'
const poolCoins = 10_000_000n
const supplyCoins = { BLY: 1_000_000_000n, GEN: 1_000_000n, NEX: 10_000_000n, FLX: 100_000_000n, AUR: 1_000_000_000n }
const stakeCoins = 10_000n
const side = 1024
const hourMs = 3_600_000

export const phasesMs = { reveal: 10_000, aggregate: 10_000, backup: 1000, measure: 60_000, publish: 20_000 }

export function regionName(region: number): string {
  return `region${region + 1}`
}

export function tensorText(name: string): string {
  return rawCid(sha256(new TextEncoder().encode(name))).toString()
}

/** A network whose model has so many tiles, each an expert of its own. */
export function learningGenesis(setting: LearningSetting, operators: readonly SimulatedOperator[]): Genesis {
  const units = (coins: bigint): string => (coins * unitsPerCoin).toString()
  const pool = { BLY: units(poolCoins) }
  const file: GenesisFile = {
    schema: 'blyan.genesis/1',
    network: 'learning',
    createdAt,
    pact: '00'.repeat(32),
    validators: operators.map(({ account, validator, region }) => ({
      name: account.name,
      publicKey: validator.account,
      peerId: `peer of ${account.name}`,
      origin: account.name,
      region: regionName(region),
      weight: 1
    })),
    accounts: operators.map(({ account }) => ({
      account: account.account,
      balance: units(stakeCoins),
      stake: units(stakeCoins)
    })),
    economy: {
      owner: operators[0]!.account.account,
      weights: 'equal',
      operators: operators.map(({ account, validator }) => ({
        validator: validator.account,
        account: account.account,
        commissionBasisPoints: 500
      })),
      supply: Object.fromEntries(Object.entries(supplyCoins).map(([coin, coins]) => [coin, units(coins)])) as never,
      pools: { validation: pool, reward: pool, treasury: pool },
      parameters: {
        periodMs: String(hourMs),
        learningWindowMs: String(setting.windowMs),
        learningRevealMs: String(phasesMs.reveal),
        learningAggregateMs: String(phasesMs.aggregate),
        learningBackupMs: String(phasesMs.backup),
        learningMeasureMs: String(phasesMs.measure),
        learningPublishMs: String(phasesMs.publish),
        learningWorkBits: '0'
      }
    },
    consensus: {
      heartbeatMs: 10_000,
      roundTimeoutMs: 250,
      gcDepthRounds: 60,
      eventsPerVertexMax: 1024,
      bodyBytesMax: 1024 * 1024,
      checkpointCommitsMax: 64,
      checkpointIntervalMs: 5000,
      epochMs: 0
    },
    model: {
      architecture: { simulated: true },
      parts: Array.from({ length: setting.tiles }, (_, tile) => ({
        name: `layer0.expert${tile}`,
        blockType: 'expert',
        layer: 0,
        tensor: tensorText(`tile ${tile} of genesis`),
        shape: [side, side]
      }))
    }
  }
  return genesisOf(file)
}
