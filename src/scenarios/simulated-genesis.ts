import { type Genesis, type GenesisFile, genesisOf } from '../dag/index.ts'
import { unitsPerCoin } from '../ledger/index.ts'
import type { Participant } from './participant.ts'
import type { Scenario } from './scenario.ts'

/** All there is of each coin, as in a real network (src/node/create-genesis.ts). */
const supplyCoins = { BLY: 1_000_000_000, GEN: 1_000_000, NEX: 10_000_000, FLX: 100_000_000, AUR: 1_000_000_000 }
export const simulatedHourMs = 3_600_000
const createdAt = '2026-01-01T00:00:00Z'

export type GenesisOperator = {
  readonly account: Participant
  readonly validator: Participant
  readonly stakeUnits: bigint
}

export type GenesisHolder = {
  readonly account: Participant
  readonly units: bigint
  /** Whether it has some of the four coins too. */
  readonly hasCoins: boolean
}

/** The network of a scenario at its first moment. Throws GENESIS_INVALID when more is given out than there is. */
export function simulatedGenesis(
  scenario: Scenario,
  operators: readonly GenesisOperator[],
  holders: readonly GenesisHolder[]
): Genesis {
  const stakes = new Map(operators.map(({ account, stakeUnits }) => [account.account, stakeUnits]))
  const file: GenesisFile = {
    schema: 'blyan.genesis/1',
    network: 'scenario',
    createdAt,
    pact: '00'.repeat(32),
    validators: operators.map(({ account, validator }) => ({
      name: account.name,
      publicKey: validator.account,
      peerId: `peer of ${account.name}`,
      origin: account.name,
      region: 'simulated',
      weight: 1
    })),
    accounts: holders.map(({ account, units, hasCoins }) => ({
      account: account.account,
      balance: units.toString(),
      stake: (stakes.get(account.account) ?? 0n).toString(),
      ...(hasCoins ? { coins: unitsOf({ GEN: 10, NEX: 100, FLX: 1000, AUR: 10_000 }) } : {})
    })),
    economy: {
      owner: operators[0]!.account.account,
      weights: scenario.weights,
      operators: operators.map(({ account, validator }) => ({
        validator: validator.account,
        account: account.account,
        commissionBasisPoints: Math.round(scenario.operators.commissionPpm / 100)
      })),
      supply: unitsOf(supplyCoins) as NonNullable<GenesisFile['economy']>['supply'],
      pools: {
        validation: unitsOf(scenario.pools.validation),
        reward: unitsOf(scenario.pools.reward),
        treasury: unitsOf(scenario.pools.treasury)
      },
      parameters: {
        periodMs: String(scenario.periodHours * simulatedHourMs),
        ...Object.fromEntries(Object.entries(scenario.parameters).map(([name, value]) => [name, String(value)]))
      }
    },
    consensus: {
      heartbeatMs: 10_000,
      roundTimeoutMs: 250,
      gcDepthRounds: 60,
      eventsPerVertexMax: 1024,
      bodyBytesMax: 1024 * 1024,
      checkpointCommitsMax: scenario.commitsPerPeriod,
      checkpointIntervalMs: scenario.periodHours * simulatedHourMs,
      epochMs: 0
    },
    model: { architecture: { simulated: true }, parts: [] }
  }
  const genesis = genesisOf(file)
  // A commit of a scenario stands for many: the next set begins with the one after it was asked for.
  return { ...genesis, parameters: { ...genesis.parameters, epochNoticeCommits: 1 } }
}

function unitsOf(amounts: Readonly<Record<string, number | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(amounts).map(([coin, amount]) => [coin, (BigInt(amount ?? 0) * unitsPerCoin).toString()])
  )
}
