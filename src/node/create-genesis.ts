import { type GenesisFile, genesisOf } from '../dag/index.ts'
import {
  type ArchitectureV1,
  describeModel,
  genesisArchitecture,
  genesisParts,
  littleEndianBytes
} from '../experts/index.ts'
import { cidOfTensor } from '../tiles/index.ts'
import { pactDigest } from './genesis-pact.ts'

export type GenesisValidator = {
  readonly name: string
  readonly publicKey: string
  readonly peerId: string
  readonly account: string
  readonly origin: string
  readonly region: string
}

/** 10^9 base units are one BLY. */
const unitsPerBly = 10n ** 9n
const devnetBalanceBly = 1_000_000n
const devnetStakeBly = 100_000n
/** Of an account that is no operator's. */
const devnetHolderBly = 10_000n
const devnetCoins = { GEN: 100n, NEX: 1_000n, FLX: 10_000n, AUR: 100_000n }
/** Each tier as a whole is worth the same, by its multiplier. */
const supplyCoins = { BLY: 1_000_000_000n, GEN: 1_000_000n, NEX: 10_000_000n, FLX: 100_000_000n, AUR: 1_000_000_000n }
const devnetPoolBly = 10_000_000n
/** Short, so that a whole life of a validator can be tried in minutes. */
const devnetParameters = {
  periodMs: '30000',
  unbondingMs: '60000',
  giftedHeartbeatMs: '5000',
  giftedSilentMs: '15000',
  healthDegradedAfterMs: '5000',
  healthFailedAfterMs: '12000',
  healthSettleMs: '2000',
  observationMs: '600000',
  returnMs: '10000',
  returnStepMs: '2000',
  degradedHolderMs: '120000',
  dutyMs: '60000',
  votingMs: '60000',
  emergencyVotingMs: '60000',
  appealVotingMs: '60000',
  learningWindowMs: '15000',
  learningRevealMs: '4000',
  learningAggregateMs: '6000',
  learningBackupMs: '1000',
  learningMeasureMs: '30000',
  learningPublishMs: '10000',
  learningSequences: '64',
  learningGainPpm: '500',
  learningWorkBits: '12'
}

export type EconomySettings = Partial<Pick<NonNullable<GenesisFile['economy']>, 'weights' | 'parameters'>>

function units(amounts: Readonly<Record<string, bigint>>): Record<string, string> {
  return Object.fromEntries(Object.entries(amounts).map(([coin, amount]) => [coin, (amount * unitsPerBly).toString()]))
}

function accountsOf(
  validators: readonly GenesisValidator[],
  economy: EconomySettings | 'none' = {},
  holders: readonly string[] = []
): Pick<GenesisFile, 'accounts' | 'economy'> {
  const hasEconomy = economy !== 'none'
  const accounts = validators.map(({ account }) => ({
    account,
    balance: (devnetBalanceBly * unitsPerBly).toString(),
    stake: (devnetStakeBly * unitsPerBly).toString(),
    ...(hasEconomy ? { coins: units(devnetCoins) } : {})
  }))
  for (const account of holders)
    accounts.push({
      account,
      balance: (devnetHolderBly * unitsPerBly).toString(),
      stake: '0',
      ...(hasEconomy ? { coins: units(devnetCoins) } : {})
    })
  if (!hasEconomy) return { accounts }
  const pool = units({ BLY: devnetPoolBly })
  return {
    accounts,
    economy: {
      owner: validators[0]!.account,
      weights: economy.weights ?? 'equal',
      operators: validators.map(({ publicKey, account }) => ({
        validator: publicKey,
        account,
        commissionBasisPoints: 500
      })),
      supply: units(supplyCoins) as NonNullable<GenesisFile['economy']>['supply'],
      pools: { validation: pool, reward: pool, treasury: { ...pool, ...units(devnetCoins) } },
      parameters: { ...devnetParameters, ...economy.parameters }
    }
  }
}

/** A genesis file for a network of these validators, with the genesis model and an account for each. */
export async function createGenesis(input: {
  readonly network: string
  readonly createdAt: string
  readonly modelSeed: string
  readonly validators: readonly GenesisValidator[]
  /** What differs from the usual limits. */
  readonly consensus?: Partial<GenesisFile['consensus']>
  /** The first validator's account is the owner; `none` makes a network in which nobody is paid. */
  readonly economy?: EconomySettings | 'none'
  /** Accounts with coins beside those of the validators, without stake. */
  readonly holders?: readonly string[]
  /** Another first model than the usual one. */
  readonly architecture?: Omit<ArchitectureV1, 'seed'>
}): Promise<GenesisFile> {
  const architecture: ArchitectureV1 = { ...(input.architecture ?? genesisArchitecture('')), seed: input.modelSeed }
  const described = new Map(describeModel(architecture).map(part => [part.name, part]))
  const parts = [...genesisParts(architecture)].map(part => ({
    name: part.name,
    blockType: part.blockType,
    layer: part.layer,
    shape: [...described.get(part.name)!.shape],
    tensor: cidOfTensor({ name: part.name, dtype: 'fp32', shape: part.shape, data: littleEndianBytes(part.data) })
  }))
  const file: GenesisFile = {
    schema: 'blyan.genesis/1',
    network: input.network,
    createdAt: input.createdAt,
    pact: await pactDigest(),
    validators: input.validators.map(({ account: _, ...validator }) => ({ ...validator, weight: 1 })),
    ...accountsOf(input.validators, input.economy, input.holders),
    consensus: {
      heartbeatMs: 10_000,
      roundTimeoutMs: 250,
      gcDepthRounds: 60,
      eventsPerVertexMax: 1024,
      bodyBytesMax: 1024 * 1024,
      checkpointCommitsMax: 64,
      checkpointIntervalMs: 500,
      ...input.consensus
    },
    model: { architecture: JSON.parse(JSON.stringify(architecture)), parts }
  }
  genesisOf(file)
  return file
}
