import { BlyanError } from '../errors/index.ts'
import { importEventHandlers, writeFileDurably } from '../node/index.ts'
import { importLearningScenario, type LearningRow, type LearningSetting } from '../scenarios/index.ts'
import type { CommandContext } from './context.ts'
import { faint, strong, table } from './output.ts'

export type SimulateLearningOptions = {
  readonly learners: readonly number[]
  readonly regions?: number
  readonly tiles?: number
  readonly rounds?: number
  readonly seed: number
  readonly picture?: string
}

const sizesMax = 12
/** The seed's 25 primaries in 5 regions. */
const operatorsOfRegion = 5

/** `10,50,100`: how many learners, one network after the other. Throws a word of advice. */
export function learnerCounts(text: string): readonly number[] {
  const counts = text.split(',').map(piece => (/^[1-9][0-9]{0,5}$/.test(piece) ? Number(piece) : Number.NaN))
  if (counts.length > sizesMax || counts.some(Number.isNaN)) {
    throw new BlyanError('USAGE', {
      reason: `"${text}" is no list of learners`,
      hint: `give whole numbers, ${sizesMax} at most: "--learners 100" or "--learners 10,100,1000"`
    })
  }
  return counts
}

/** Rounds of learning over simulated machines and lines, in the rows of the seed. */
export async function simulateLearning({ output }: CommandContext, options: SimulateLearningOptions): Promise<void> {
  const learning = await importLearningScenario()
  const { defaultSetting } = learning
  const sizes = learning.createFileSizes()
  const { createHandlers } = await importEventHandlers()
  const started = Date.now()
  const rows: LearningRow[] = []
  for (const learners of options.learners) {
    const regions = options.regions ?? defaultSetting.regions
    const setting: LearningSetting = {
      ...defaultSetting,
      seed: options.seed,
      learners,
      regions,
      operators: operatorsOfRegion * regions,
      tiles: options.tiles ?? defaultSetting.tiles,
      rounds: options.rounds ?? defaultSetting.rounds
    }
    requireAtMost('learners', learners, learning.simulatedLearnersMax)
    requireAtMost('regions', setting.regions, learning.simulatedRegionsMax)
    requireAtMost('tiles', setting.tiles, learning.simulatedTilesMax)
    requireAtMost('rounds', setting.rounds, learning.simulatedRoundsMax)
    rows.push(learning.learningRow(learning.runLearning({ setting, createHandlers, sizes })))
  }
  const tookMs = Date.now() - started
  if (options.picture !== undefined)
    await writeFileDurably(options.picture, learning.drawLearningPicture(rows), { mode: 0o644 }).catch(error => {
      throw new BlyanError('FILE_UNWRITABLE', { path: options.picture!, reason: (error as Error).message })
    })
  await output.answer(rows, () => textOf(rows))
  if (output.json) return
  output.note(faint(`${rows.length} networks in ${(tookMs / 1000).toFixed(1)} s`))
  if (options.picture !== undefined) output.note(faint(`drawn in ${options.picture}`))
}

function requireAtMost(what: string, count: number, limit: number): void {
  if (count > limit) {
    throw new BlyanError('USAGE', {
      reason: `${count} ${what} are too many to simulate`,
      hint: `give at most ${limit}`
    })
  }
}

async function textOf(rows: readonly LearningRow[]): Promise<string> {
  const [first] = rows
  const seconds = (ms: number | null): string | null => (ms === null ? null : (ms / 1000).toFixed(1))
  const traffic = await table(
    ['learners', 'fp32', 'all', 'wide', 'wide up', 'seed', 'fewer', 'trains', 'seed', 'tokens/s', 'seed'],
    rows.map(row => [
      row.learners,
      megabytes(row.rawMegabytes),
      megabytes(row.trafficMegabytes),
      megabytes(row.wideMegabytes),
      megabytes(row.wideUpMegabytes),
      row.seed === null ? null : megabytes(row.seed.trafficMegabytes),
      `${Math.round(row.rawMegabytes / row.wideMegabytes)}x`,
      `${(row.utilisation * 100).toFixed(0)} %`,
      row.seed === null ? null : `${(row.seed.utilisation * 100).toFixed(0)} %`,
      Math.round(row.tokensPerSecond),
      row.seed?.tokensPerSecond ?? null
    ])
  )
  const waits = await table(
    [
      'learners',
      'adopted',
      'steps',
      'round s',
      'upload s',
      'region s',
      'result s',
      'measured s',
      'here s',
      'lines',
      'takeover ms'
    ],
    rows.map(row => [
      row.learners,
      `${row.adopted} of ${row.rounds}`,
      row.steps.toFixed(1),
      row.roundSeconds.toFixed(1),
      seconds(row.slowMs.upload),
      seconds(row.slowMs.region),
      seconds(row.slowMs.aggregate),
      seconds(row.slowMs.measure),
      seconds(row.slowMs.download),
      row.connections,
      row.failoverMs
    ])
  )
  return [
    strong('what learning would send and wait for'),
    faint(
      `${first?.regions} regions; MB for each inner step of all learners; fp32: every delta whole, every step; wide: between regions; a learner sends ${megabytes((first?.bytesUpOfLearner ?? 0) / 1e6)} MB and receives ${megabytes((first?.bytesDownOfLearner ?? 0) / 1e6)} MB a round`
    ),
    '',
    traffic,
    '',
    waits
  ].join('\n')
}

function megabytes(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}
