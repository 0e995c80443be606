import { type GenesisFile, genesisOf } from '../dag/index.ts'
import { describeModel, genesisArchitecture, genesisParts, littleEndianBytes } from '../experts/index.ts'
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

/** A genesis file for a network of these validators, with the genesis model and an account for each. */
export async function createGenesis(input: {
  readonly network: string
  readonly createdAt: string
  readonly modelSeed: string
  readonly validators: readonly GenesisValidator[]
  /** What differs from the usual limits. */
  readonly consensus?: Partial<GenesisFile['consensus']>
}): Promise<GenesisFile> {
  const architecture = genesisArchitecture(input.modelSeed)
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
    accounts: input.validators.map(({ account }) => ({
      account,
      balance: (devnetBalanceBly * unitsPerBly).toString(),
      stake: (devnetStakeBly * unitsPerBly).toString()
    })),
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
