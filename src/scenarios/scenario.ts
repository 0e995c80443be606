import { parse, TomlError } from 'smol-toml'
import { z } from 'zod'
import { BlyanError } from '../errors/index.ts'
import { measureNames } from './measures.ts'

export const scenarioBytesMax = 64 * 1024
export const periodsMax = 20_000
const million = 1_000_000

const ppm = z.int().min(0).max(million)
const coinCount = z.int().min(0).max(1_000_000_000)
const pool = z.strictObject({
  BLY: coinCount.optional(),
  GEN: coinCount.optional(),
  NEX: coinCount.optional(),
  FLX: coinCount.optional(),
  AUR: coinCount.optional()
})
const period = z.int().min(1).max(periodsMax)
const share = z.int().min(1).max(million)
const lasts = z.int().min(1).max(periodsMax)

/** What happens at a time. */
const shock = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('price'),
    period,
    factorPpm: z
      .int()
      .min(1)
      .max(1000 * million)
  }),
  z.strictObject({
    kind: z.literal('load'),
    period,
    factorPpm: z
      .int()
      .min(0)
      .max(1000 * million)
  }),
  z.strictObject({ kind: z.literal('validators-down'), period, lasts, sharePpm: share }),
  z.strictObject({ kind: z.literal('validators-late'), period, lasts, sharePpm: share }),
  z.strictObject({ kind: z.literal('validators-wrong'), period, lasts, sharePpm: share }),
  z.strictObject({ kind: z.literal('double-sign'), period, count: z.int().min(1).max(100) }),
  /** Somebody stakes as much as makes this share of all stake, behind so many validators. */
  z.strictObject({
    kind: z.literal('whale'),
    period,
    sharePpm: z.int().min(1).max(900_000),
    validators: z.int().min(1).max(100).default(1)
  }),
  z.strictObject({ kind: z.literal('gifted-leave'), period, sharePpm: share }),
  /** Somebody splits its stake over so many accounts, proposes nothing of interest, and votes on it. */
  z.strictObject({
    kind: z.literal('vote-farming'),
    period,
    lasts,
    voters: z.int().min(1).max(200),
    stakeBly: coinCount.default(1000)
  })
])

const answer = z.strictObject({
  /** What is asked, in words. */
  text: z.string().min(1).max(200),
  measure: z.enum(measureNames),
  /** `last`, `least`, `most`, `mean` of all periods from `from` on; `change` from then to the end, in parts per million of what it was; the same as it would be over a month or a year. */
  take: z.enum(['last', 'least', 'most', 'mean', 'sum', 'change', 'change-per-month', 'change-per-year']),
  from: period.default(1),
  atLeast: z.number().optional(),
  atMost: z.number().optional(),
  /** Where the seed says so. */
  seed: z.string().max(80).optional()
})

const scenarioSchema = z.strictObject({
  question: z.string().min(1).max(200),
  periods: z.int().min(1).max(periodsMax),
  periodHours: z.int().min(1).max(720).default(1),
  commitsPerPeriod: z.int().min(1).max(64).default(4),
  weights: z.enum(['equal', 'stake']).default('equal'),
  parameters: z.record(z.string().max(64), z.int().min(0)).default({}),
  pools: z
    .strictObject({ validation: pool, reward: pool, treasury: pool })
    .default({ validation: { BLY: 10_000_000 }, reward: { BLY: 10_000_000 }, treasury: { BLY: 10_000_000 } }),
  market: z
    .strictObject({
      /** Millionths of a dollar that one BLY costs (seed 004, 19.4: 1000). */
      blyMicroDollars: z
        .int()
        .min(1)
        .max(million * million)
        .default(1000)
    })
    .prefault({}),
  operators: z
    .strictObject({
      count: z.int().min(1).max(100).default(20),
      /** They wait outside and join when it pays. */
      waiting: z.int().min(0).max(100).default(0),
      stakeBly: coinCount.default(100_000),
      /** Stakes lie around `stakeBly` by this much up or down. */
      stakeSpreadPpm: ppm.default(0),
      balanceBly: coinCount.default(100_000),
      commissionPpm: ppm.default(50_000),
      /** What one machine costs for an hour, and by how much operators differ. */
      costMicroDollarsPerHour: z.int().min(0).max(1_000_000_000).default(50_000),
      costSpreadPpm: ppm.default(500_000),
      /** Hours of loss after which an operator gives up. */
      patienceHours: z.int().min(1).max(100_000).default(72),
      presentPpm: ppm.default(998_000)
    })
    .prefault({}),
  stakers: z
    .strictObject({
      count: z.int().min(0).max(2000).default(40),
      balanceBly: coinCount.default(20_000),
      /** Chance that a staker looks at its stake in a period. */
      activePpm: ppm.default(20_000)
    })
    .prefault({}),
  users: z
    .strictObject({
      count: z.int().min(0).max(2000).default(40),
      balanceBly: coinCount.default(10_000),
      transfersPerPeriod: z.int().min(0).max(2000).default(10),
      holdsPerPeriod: z.int().min(0).max(1000).default(2),
      chargesPerPeriod: z.int().min(0).max(1000).default(2),
      /** By how much all of it grows from one period to the next. */
      growthPpm: z.int().min(0).max(100_000).default(0)
    })
    .prefault({}),
  gifted: z
    .strictObject({
      count: z.int().min(0).max(200).default(0),
      /** They come later, by chance. */
      waiting: z.int().min(0).max(300).default(0),
      /** Chance that one leaves, and that a new one comes, in a period. */
      leavePpm: ppm.default(0),
      joinPpm: ppm.default(0),
      presentPpm: ppm.default(990_000)
    })
    .prefault({}),
  shock: z.array(shock).max(64).default([]),
  answer: z.array(answer).min(1).max(24)
})

export type Scenario = z.output<typeof scenarioSchema>
export type Shock = Scenario['shock'][number]
export type Question = Scenario['answer'][number]

/** Finds the known word that was meant. */
export type Suggest = (word: string, known: readonly string[]) => string | undefined

/** Reads a scenario file. Throws SCENARIO_INVALID with the place, and a suggestion for a word nobody knows. */
export function parseScenario(text: string, suggest: Suggest): Scenario {
  if (text.length > scenarioBytesMax) throw invalid(`longer than ${scenarioBytesMax} characters`)
  let document: unknown
  try {
    document = parse(text)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    throw invalid(`line ${error.line}: ${error.message.split('\n')[0]}`)
  }
  const parsed = scenarioSchema.safeParse(document)
  if (!parsed.success) throw invalid(faultOf(parsed.error.issues[0]!, suggest))
  const scenario = parsed.data
  for (const one of scenario.shock)
    if (one.period > scenario.periods) throw invalid(`shock "${one.kind}": there is no period ${one.period}`)
  for (const { measure, from } of scenario.answer)
    if (from > scenario.periods) throw invalid(`answer about ${measure}: there is no period ${from}`)
  return scenario
}

function faultOf(issue: z.core.$ZodIssue, suggest: Suggest): string {
  const place = issue.path.join('.')
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0]!
    const meant = suggest(key, knownKeys(issue.path))
    const where = place === '' ? '' : ` in "${place}"`
    return `nobody knows "${key}"${where}${meant === undefined ? '' : `; did you mean "${meant}"?`}`
  }
  return `${place || 'file'}: ${issue.message}`
}

/** The words that may stand at a place of the file. */
function knownKeys(path: readonly PropertyKey[]): readonly string[] {
  let schema: z.ZodType = scenarioSchema
  for (const step of path) {
    const bare = bareOf(schema)
    if (bare instanceof z.ZodObject) schema = bare.shape[String(step)] as z.ZodType
    else if (bare instanceof z.ZodArray) schema = bare.element as z.ZodType
  }
  const found = bareOf(schema)
  if (found instanceof z.ZodObject) return Object.keys(found.shape)
  if (found instanceof z.ZodDiscriminatedUnion)
    return found.options.flatMap(option => Object.keys((option as unknown as z.ZodObject).shape))
  return []
}

function bareOf(schema: z.ZodType): z.ZodType {
  let bare = schema
  while (bare instanceof z.ZodDefault || bare instanceof z.ZodPrefault || bare instanceof z.ZodOptional)
    bare = bare.unwrap() as z.ZodType
  return bare
}

function invalid(reason: string): BlyanError {
  return new BlyanError('SCENARIO_INVALID', { reason })
}
