import { z } from 'zod'
import {
  bytesToHex,
  type CanonicalValue,
  cidOfDigest,
  encodeCanonical,
  parseCid,
  publicKeyFromText,
  sha256
} from '../../codec/index.ts'
import {
  type Committee,
  type ConsensusParameters,
  type DegradedMode,
  defaultParameters
} from '../../consensus/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { type Block, makeBlock } from './block.ts'
import { committeeOfSet, mayDegrade } from './validator-set.ts'

const cidText = z.string().refine(text => {
  try {
    parseCid(text)
    return true
  } catch {
    return false
  }
}, 'not a CID')
const publicKeyText = z.string().refine(text => {
  try {
    publicKeyFromText(text)
    return true
  } catch {
    return false
  }
}, 'not a public key')
const amountText = z.string().regex(/^(0|[1-9][0-9]{0,38})$/)
const someUnits = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,26})$/)
  .optional()
const coinsOf = z.strictObject({ BLY: someUnits, GEN: someUnits, NEX: someUnits, FLX: someUnits, AUR: someUnits })
const jsonValue: z.ZodType<CanonicalValue> = z.lazy(() =>
  z.union([z.null(), z.boolean(), z.int(), z.string(), z.array(jsonValue), z.record(z.string(), jsonValue)])
)

/** Of a network whose coins are earned and staked. Without it who is a validator is decided by approvals, and nobody is paid. */
const economySchema = z.strictObject({
  /** Account whose node holds the responsibilities of the network until others are elected. */
  owner: publicKeyText,
  weights: z.enum(['equal', 'stake']),
  /** Which account answers for which validator, with the stake that `accounts` gives it. */
  operators: z
    .array(
      z.strictObject({
        validator: publicKeyText,
        account: publicKeyText,
        commissionBasisPoints: z.int().min(0).max(10_000)
      })
    )
    .min(1)
    .max(256),
  /** All there will ever be of each coin, in base units; what nobody has been given is not issued yet. */
  supply: coinsOf.required(),
  pools: z.strictObject({ validation: coinsOf, reward: coinsOf, treasury: coinsOf }),
  /** What differs from the usual parameters (docs/protocol.md), as decimal strings. */
  parameters: z.record(z.string().max(64), z.string().regex(/^(0|[1-9][0-9]{0,26})$/))
})

const genesisSchema = z.strictObject({
  schema: z.literal('blyan.genesis/1'),
  network: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/),
  createdAt: z.iso.datetime(),
  /** SHA-256 of genesis/pact.md, hex. */
  pact: z.string().regex(/^[0-9a-f]{64}$/),
  validators: z
    .array(
      z.strictObject({
        name: z.string().max(64),
        publicKey: publicKeyText,
        peerId: z.string().max(128),
        origin: z.string().max(64),
        region: z.string().max(64),
        weight: z.int().min(1).max(1_000_000)
      })
    )
    .min(1)
    .max(256),
  accounts: z
    .array(
      z.strictObject({
        account: publicKeyText,
        /** BLY. */
        balance: amountText,
        stake: amountText,
        /** The other coins of an economy. */
        coins: coinsOf.omit({ BLY: true }).optional()
      })
    )
    .max(100_000),
  economy: economySchema.optional(),
  consensus: z.strictObject({
    heartbeatMs: z.int().min(100),
    roundTimeoutMs: z.int().min(10),
    gcDepthRounds: z.int().min(8).max(10_000),
    eventsPerVertexMax: z.int().min(1).max(16_384),
    bodyBytesMax: z
      .int()
      .min(128 * 1024)
      .max(1024 * 1024),
    checkpointCommitsMax: z.int().min(1).max(128),
    checkpointIntervalMs: z.int().min(0),
    // Left out rather than filled in when absent: the digest is over the file as it was written.
    epochMs: z.int().min(0).optional(),
    degraded: z.enum(['none', 'crash']).optional()
  }),
  model: z.strictObject({
    architecture: jsonValue,
    parts: z
      .array(
        z.strictObject({
          name: z.string().max(64),
          blockType: z.string().max(32),
          layer: z.int().nullable(),
          tensor: cidText,
          shape: z.array(z.int().min(1)).max(8)
        })
      )
      .max(4096)
  })
})

/** The file that defines a network: everything in it is part of its CID. */
export type GenesisFile = z.infer<typeof genesisSchema>

export type Genesis = {
  readonly file: GenesisFile
  readonly cid: string
  readonly digest: Uint8Array
  readonly digestHex: string
  readonly timeMs: number
  /** The set of epoch 0. */
  readonly committee: Committee
  /** What a network of three does when one is gone. */
  readonly degraded: DegradedMode
  readonly parameters: ConsensusParameters
  /** Block 0 of chain A and the first blocks of chain B. */
  readonly blocks: readonly Block[]
}

/** Reads a genesis file. Throws GENESIS_INVALID naming the field. */
export function parseGenesis(text: string): Genesis {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new BlyanError('GENESIS_INVALID', { reason: 'not JSON' }, { cause: error })
  }
  const parsed = genesisSchema.safeParse(json)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!
    throw new BlyanError('GENESIS_INVALID', { reason: `${issue.path.join('.') || 'file'}: ${issue.message}` })
  }
  return genesisOf(parsed.data)
}

export function genesisOf(file: GenesisFile): Genesis {
  const digest = sha256(encodeCanonical(file as unknown as CanonicalValue))
  requireDistinct(
    'validators: one key twice',
    file.validators.map(validator => validator.publicKey)
  )
  requireDistinct(
    'validators: one peer id twice',
    file.validators.map(validator => validator.peerId)
  )
  requireDistinct(
    'accounts: one account twice',
    file.accounts.map(account => account.account)
  )
  requireDistinct(
    'model.parts: one name twice',
    file.model.parts.map(part => part.name)
  )
  if (file.economy !== undefined) requireSoundEconomy(file, file.economy)
  const validators = file.validators.map(({ publicKey, ...rest }) => ({
    ...rest,
    publicKey: publicKeyFromText(publicKey)
  }))
  const { degraded = 'none', epochMs = defaultParameters.epochMs, ...limits } = file.consensus
  if (degraded === 'crash' && !mayDegrade(validators))
    throw new BlyanError('GENESIS_INVALID', {
      reason: 'consensus.degraded: "crash" is for exactly three validators of one weight'
    })
  return {
    file,
    cid: cidOfDigest(digest).toString(),
    digest,
    digestHex: bytesToHex(digest),
    timeMs: Date.parse(file.createdAt),
    committee: committeeOfSet({ epoch: 0, baseRound: 0, members: validators }, degraded),
    degraded,
    parameters: Object.freeze({ ...defaultParameters, ...limits, epochMs }),
    blocks: genesisBlocks(file)
  }
}

/** What rules remember of a whole set has to fit into one value of the state. */
const operatorsMax = 200

/** Who answers for whom, and that no coin is given out which there is not. */
function requireSoundEconomy(file: GenesisFile, economy: NonNullable<GenesisFile['economy']>): void {
  const invalid = (reason: string): BlyanError => new BlyanError('GENESIS_INVALID', { reason: `economy.${reason}` })
  const { operators, supply, pools } = economy
  requireDistinct(
    'economy.operators: one validator twice',
    operators.map(operator => operator.validator)
  )
  requireDistinct(
    'economy.operators: one account twice',
    operators.map(operator => operator.account)
  )
  if (operators.length > operatorsMax) throw invalid(`operators: more than ${operatorsMax}`)
  const keys = new Set(file.validators.map(validator => validator.publicKey))
  if (operators.length !== keys.size || operators.some(operator => !keys.has(operator.validator)))
    throw invalid('operators: they must be those of the validators')
  const staked = new Set(operators.map(operator => operator.account))
  if (file.accounts.some(({ account, stake }) => stake !== '0' && !staked.has(account)))
    throw invalid('operators: only they can have stake')
  for (const coin of ['BLY', 'GEN', 'NEX', 'FLX', 'AUR'] as const) {
    const held = file.accounts.map(account =>
      coin === 'BLY' ? BigInt(account.balance) + BigInt(account.stake) : BigInt(account.coins?.[coin] ?? '0')
    )
    const pooled = [pools.validation, pools.reward, pools.treasury].map(pool => BigInt(pool[coin] ?? '0'))
    if ([...held, ...pooled].reduce((sum, units) => sum + units, 0n) > BigInt(supply[coin]))
      throw invalid(`supply.${coin}: more is given out than there is`)
  }
}

function requireDistinct(reason: string, names: readonly string[]): void {
  if (new Set(names).size !== names.length) throw new BlyanError('GENESIS_INVALID', { reason })
}

function genesisBlocks(file: GenesisFile): Block[] {
  const none = { nonce: 0, miner_pub: new Uint8Array(0), payload_sig: new Uint8Array(0), event: null }
  const architecture = sha256(encodeCanonical(file.model.architecture))
  const meta = makeBlock({
    ...none,
    index: 0,
    chain_id: 'A',
    depends_on: [],
    block_type: 'meta',
    expert_name: null,
    layer_id: null,
    payload_hash: architecture,
    tensor: null
  })
  const parts = file.model.parts.map((part, index) => {
    const tensor = parseCid(part.tensor)
    return makeBlock({
      ...none,
      index,
      chain_id: 'B',
      depends_on: [meta.cid],
      block_type: part.blockType,
      expert_name: part.name,
      layer_id: part.layer,
      payload_hash: tensor.multihash.digest,
      tensor
    })
  })
  return [meta, ...parts]
}
