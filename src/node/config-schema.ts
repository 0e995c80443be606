import { z } from 'zod'

/**
 * Every setting of a node, once: its type, default and limits, its flag, and its comment in config.toml.
 * Environment names follow from the dotted names: `network.maxPeers` is `BLYAN_NETWORK_MAX_PEERS`.
 */
export const roles = ['validator', 'learner', 'miner', 'gifted', 'gateway'] as const
export const logLevels = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const
const MiB = 1024 * 1024

const multiaddr = z
  .string()
  .max(512)
  .regex(/^\/(ip4|ip6|dns|dns4|dns6|dnsaddr)\/\S+$/, 'an address like /ip4/203.0.113.7/tcp/4620')
const multiaddrs = z.array(multiaddr).max(256)
const label = z
  .string()
  .max(64)
  .regex(/^[\p{L}\p{N} ._:-]*$/u, 'letters, digits, spaces, ". _ : -"')
const port = z.int().min(0).max(65535)
const holdPattern = z
  .string()
  .max(64)
  .regex(/^[a-z0-9*][a-z0-9.*]*$/, 'auto, all, none, or a part name in which * stands for any text')
const percent = z.string().regex(/^(100(\.0{1,4})?|\d{1,2}(\.\d{1,4})?)$/, '0 to 100, with at most four decimals')

export const configSchema = z.strictObject({
  network: z.strictObject({
    genesisFile: z.string().min(1).max(4096).default('genesis.json').meta({
      description: 'genesis file of the network; a relative path starts in the data folder',
      flag: '--genesis <file>'
    }),
    peers: multiaddrs.default([]).meta({
      description: 'addresses of nodes to connect to first; the network tells of the others',
      flag: '--peer <multiaddr>'
    }),
    listen: multiaddrs.default(['/ip4/0.0.0.0/tcp/4620']).meta({
      description: 'addresses to listen on; tcp/0 takes any free port',
      flag: '--listen <multiaddr>'
    }),
    announce: multiaddrs.default([]).meta({
      description: 'addresses to tell others, when they differ from those above (behind a router)',
      flag: '--announce <multiaddr>'
    }),
    maxPeers: z.int().min(1).max(4096).default(64).meta({ description: 'most connections at a time' })
  }),
  node: z.strictObject({
    roles: z
      .array(z.enum(roles))
      .max(roles.length)
      .default([])
      .meta({
        description: `what this node does: any of ${roles.join(', ')}; none follows and checks the network`,
        flag: '--role <names>'
      }),
    name: label.default('').meta({ description: 'a name others see; empty for none' }),
    origin: label.default('').meta({ description: 'who runs it, as the quorum counts independent origins' }),
    region: label.default('').meta({ description: 'where it runs, written into the events it makes' })
  }),
  api: z.strictObject({
    host: z
      .string()
      .min(1)
      .max(255)
      .default('127.0.0.1')
      .meta({ description: 'address of the HTTP API; others than loopback need care' }),
    port: port.default(4630).meta({ description: 'port of the HTTP API; 0 takes any free one' })
  }),
  keys: z.strictObject({
    passwordFile: z.string().max(4096).default('').meta({
      description: 'file whose first line opens the keys; relative to the data folder; empty asks on the terminal',
      flag: '--password-file <file>',
      environment: 'BLYAN_PASSWORD_FILE'
    })
  }),
  log: z.strictObject({
    level: z
      .enum(logLevels)
      .default('info')
      .meta({ description: `one of ${logLevels.join(', ')}` }),
    format: z
      .enum(['auto', 'pretty', 'json'])
      .default('auto')
      .meta({ description: 'auto (pretty on a terminal), pretty or json' })
  }),
  storage: z.strictObject({
    minimumFreeBytes: z
      .int()
      .min(0)
      .default(256 * MiB)
      .meta({ description: 'below this much free disk the node takes in nothing new' }),
    history: z
      .enum(['archive', 'pruned'])
      .default('archive')
      .meta({ description: 'archive keeps everything; pruned gives the space of old history back' }),
    keepCommits: z
      .int()
      .min(1000)
      .default(10_000)
      .meta({ description: 'with history = "pruned": commits that stay, counted from the last' }),
    snapshotEveryCommits: z
      .int()
      .min(50)
      .default(2000)
      .meta({ description: 'a snapshot of the state is made every so many commits; the newest two are kept' }),
    stateSyncCommits: z
      .int()
      .min(100)
      .default(5000)
      .meta({ description: 'further behind than this, the node fetches a snapshot instead of all commits' })
  }),
  experts: z.strictObject({
    enabled: z.boolean().default(true).meta({ description: 'whether this node computes with the model' }),
    threads: z.int().min(1).max(256).default(1).meta({ description: 'threads of the engine' }),
    device: z
      .enum(['auto', 'cpu', 'webgpu', 'cuda'])
      .default('auto')
      .meta({ description: 'auto, cpu, webgpu or cuda' }),
    hold: z.array(holdPattern).min(1).max(256).default(['auto']).meta({
      description: 'experts to keep: "auto" (by traffic), "all", "none", or part names with * such as "olmoe.layer0.*"',
      flag: '--hold <names>'
    }),
    serve: z.boolean().default(true).meta({
      description: 'whether this node computes the experts it holds for others',
      flag: '--serve <true|false>'
    }),
    priceUnits: z
      .string()
      .regex(/^(0|[1-9][0-9]{0,17})$/, 'a whole number of base units of BLY')
      .default('0')
      .meta({ description: 'what it asks for 1000 rows of one expert, in base units of BLY' }),
    tabUnits: z
      .string()
      .regex(/^(0|[1-9][0-9]{0,17})$/, 'a whole number of base units of BLY')
      .default('1000000000')
      .meta({
        description: 'what is put aside to pay one holder that asks for coins, in base units of BLY; 0 pays nobody'
      }),
    memoryBytesMax: z
      .int()
      .min(0)
      .max(2 ** 50)
      .default(0)
      .meta({ description: 'memory for fast copies of weights; 0 for a quarter of what there is' }),
    diskBytesMax: z
      .int()
      .min(0)
      .max(2 ** 50)
      .default(0)
      .meta({ description: 'disk for experts; 0 for half of what is free' }),
    answersMax: z.int().min(1).max(1024).default(16).meta({ description: 'answers that are made at a time' }),
    queueMax: z
      .int()
      .min(0)
      .max(65_536)
      .default(128)
      .meta({ description: 'questions that wait for their turn; more are refused with a time to come back' })
  }),
  learning: z.strictObject({
    data: z.string().max(4096).default('').meta({
      description: 'folder with text and code to learn from, an absolute path; empty learns nothing'
    }),
    model: z
      .string()
      .regex(/^([a-z][a-z0-9]{0,31})?$/, 'the name of a model')
      .default('')
      .meta({ description: 'model to learn; empty for the one of genesis' }),
    codec: z
      .string()
      .regex(/^[a-z0-9+-]{1,32}$/, 'the name of a codec')
      .default('auto')
      .meta({ description: 'how deltas are compressed: auto, or the name of a codec (docs/protocol.md)' }),
    parts: z.array(holdPattern).min(1).max(64).default(['*']).meta({
      description: 'parts to train: names with * such as "layer0.*", or "*" for all'
    }),
    archive: z
      .boolean()
      .default(false)
      .meta({ description: 'keep all versions of parts, so that others can learn how the model became what it is' })
  }),
  gifted: z.strictObject({
    by: z.enum(['miner', 'deployer', 'validator']).default('miner').meta({
      description: 'with the role gifted: who gives the node, miner, deployer or validator',
      flag: '--gifted-by <kind>'
    }),
    account: z
      .string()
      .max(128)
      .default('')
      .meta({ description: "account of whoever gives it; empty for the node's own" }),
    consent: z
      .string()
      .regex(/^([0-9a-f]{128})?$/, 'the signature that "gifted consent" printed')
      .default('')
      .meta({ description: 'what "gifted consent" printed for whoever gives it, when that is another account' }),
    specialisation: z.enum(['core', 'notary', 'registry', 'cluster', 'parachain']).default('core').meta({
      description: 'what a gifted node is for: core, notary, registry, cluster or parachain',
      flag: '--specialisation <kind>'
    }),
    capacities: z
      .string()
      .regex(/^(\d{1,9},\d{1,9})?$/, 'two whole numbers with a comma between')
      .default('')
      .meta({ description: 'the two capacities of its specialisation (docs/protocol.md), such as 100,50' }),
    uptimePercent: percent.default('99').meta({ description: 'uptime that is promised', flag: '--uptime <percent>' }),
    sharePercent: percent
      .default('0')
      .meta({ description: 'share of the incentives for whoever gives the node', flag: '--share <percent>' }),
    priority: z
      .enum(['low', 'normal', 'high'])
      .default('normal')
      .meta({ description: 'deployment priority, of nodes that a deployer gives' }),
    cores: z.int().min(0).max(4096).default(0).meta({ description: 'cores that are given; 0 for all' }),
    memoryBytes: z
      .int()
      .min(0)
      .max(2 ** 50)
      .default(0)
      .meta({ description: 'memory that is given; 0 for all' }),
    diskBytes: z
      .int()
      .min(0)
      .max(2 ** 50)
      .default(0)
      .meta({ description: 'disk that is given; 0 for all that is free' })
  })
})

export type Config = DeepReadonly<z.infer<typeof configSchema>>
type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T

export type ConfigValue = string | number | boolean | readonly string[]

/** One setting as the command line, the environment and the file see it. */
export type ConfigField = {
  /** `network.maxPeers`. */
  readonly key: string
  readonly section: string
  readonly name: string
  readonly kind: 'string' | 'number' | 'boolean' | 'list'
  readonly description: string
  readonly defaultValue: ConfigValue
  /** As commander writes it: `--network-max-peers <number>`. */
  readonly flag: string
  readonly environment: string
}

export const configSections = Object.keys(configSchema.shape) as readonly (keyof Config)[]

export const configFields: readonly ConfigField[] = configSections.flatMap(section =>
  Object.entries(configSchema.shape[section].shape as Record<string, z.ZodDefault>).map(([name, schema]) =>
    fieldOf(section, name, schema)
  )
)

function fieldOf(section: string, name: string, schema: z.ZodDefault): ConfigField {
  const meta = schema.meta() ?? {}
  const defaultValue = schema.parse(undefined) as ConfigValue
  const kind = Array.isArray(defaultValue) ? 'list' : (typeof defaultValue as 'string' | 'number' | 'boolean')
  const kebab = `${section}-${kebabOf(name)}`
  return {
    key: `${section}.${name}`,
    section,
    name,
    kind,
    description: String(meta.description ?? ''),
    defaultValue,
    flag:
      typeof meta.flag === 'string'
        ? meta.flag
        : `--${kebab} <${kind === 'boolean' ? 'true|false' : kind === 'string' ? 'text' : kind}>`,
    environment:
      typeof meta.environment === 'string' ? meta.environment : `BLYAN_${kebab.replaceAll('-', '_').toUpperCase()}`
  }
}

function kebabOf(name: string): string {
  return name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
}
