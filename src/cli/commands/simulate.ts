import { readdir, readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { BlyanError } from '../../errors/index.ts'
import { importEventHandlers, nearestWord, writeFileDurably } from '../../node/index.ts'
import {
  type Answer,
  drawPicture,
  type MeasureName,
  measures,
  parseScenario,
  periodsMax,
  type Row,
  runScenario,
  type Scenario,
  type ScenarioResult,
  scenarioBytesMax
} from '../../scenarios/index.ts'
import { type CommandContext, type RegisterCommand, readInput, unreadable, wholeNumber } from '../context.ts'
import { coloured, faint, fields, strong, table } from '../output.ts'
import { learnerCounts, simulateLearning } from '../simulate-learning.ts'

/** The same place seen from src/cli/commands/ and from dist/cli/commands/. */
const shippedFolder = new URL('../../../scenarios/', import.meta.url)
const ending = '.toml'
/** Periods of the table that people see; with --json all are given. */
const shownPeriods = 12

type SimulateOptions = {
  scenario?: string
  learners?: readonly number[]
  regions?: number
  tiles?: number
  rounds?: number
  seed: number
  periods?: number
  picture?: string
  rows?: boolean
}

export const register: RegisterCommand = (command, context) => {
  command
    .description('what would happen to the economy, or with many learners, if: the rules of every node, offline')
    .option('--scenario <file>', 'a scenario file, or the name of a shipped one')
    .option('--learners <n>', 'rounds of learning with so many machines; several: 10,100,1000', learnerCounts)
    .option('--regions <n>', 'with --learners: where they are', wholeNumber(1, 25))
    .option('--tiles <n>', 'with --learners: tiles of 4 MiB that the model has', wholeNumber(1, 64))
    .option('--rounds <n>', 'with --learners: how many rounds', wholeNumber(1, 50))
    .option('--seed <n>', 'the same seed gives the same result', wholeNumber(0, Number.MAX_SAFE_INTEGER), 1)
    .option('--periods <n>', 'run longer or shorter than the file says', wholeNumber(1, periodsMax))
    .option('--picture <file>', 'write a drawing of it, as SVG')
    .option('--rows', 'with --json: every number of every period')
    .action(async (options: SimulateOptions) => {
      const { scenario, learners, ...rest } = options
      if (learners !== undefined) return simulateLearning(context(), { ...rest, learners })
      if (scenario === undefined)
        throw new BlyanError('USAGE', {
          reason: 'which scenario?',
          hint: 'give --scenario NAME (see "blyan-node simulate list") or --learners N'
        })
      await simulate(context(), { ...options, scenario })
    })
  registerList(command, context)
}

function registerList(command: Command, context: () => CommandContext): void {
  command
    .command('list')
    .summary('the scenarios that are shipped, and their questions')
    .option('--show <name>', 'print the file of one, to begin your own with')
    .action(async ({ show }: { show?: string }) => {
      const { output } = context()
      if (show !== undefined) {
        const text = await readScenario(show)
        await output.answer({ name: show, text }, () => text.trimEnd())
        return
      }
      const shipped = await Promise.all(
        (await shippedNames()).map(async name => ({ name, ...(await introduced(name)) }))
      )
      await output.answer(shipped, () =>
        table(
          ['scenario', 'question', 'periods'],
          shipped.map(({ name, question, periods }) => [name, question, periods])
        )
      )
    })
}

async function introduced(name: string): Promise<Pick<Scenario, 'question' | 'periods'>> {
  const { question, periods } = parseScenario(await readScenario(name), nearestWord)
  return { question, periods }
}

async function simulate({ output }: CommandContext, options: SimulateOptions & { scenario: string }): Promise<void> {
  const asked = parseScenario(await readScenario(options.scenario), nearestWord)
  const scenario = options.periods === undefined ? asked : shortened(asked, options.periods)
  const { createHandlers } = await importEventHandlers()
  const started = Date.now()
  const result = runScenario({ scenario, seed: options.seed, createHandlers })
  const tookMs = Date.now() - started
  if (options.picture !== undefined)
    await writeFileDurably(options.picture, drawPicture(result), { mode: 0o644 }).catch(error => {
      throw new BlyanError('FILE_UNWRITABLE', { path: options.picture!, reason: (error as Error).message })
    })
  const { rows, ...rest } = result
  await output.answer(options.rows === true ? result : { ...rest, last: rows.at(-1) }, () => textOf(result))
  if (!output.json) {
    const events = result.events.reduce((sum, { count }) => sum + count, 0)
    output.note(faint(`${result.periods} periods and ${events} events in ${(tookMs / 1000).toFixed(1)} s`))
    if (options.picture !== undefined) output.note(faint(`drawn in ${options.picture}`))
  }
}

/** What happens after the end does not; what is asked from then on is asked of the last period. */
function shortened(scenario: Scenario, periods: number): Scenario {
  return {
    ...scenario,
    periods,
    shock: scenario.shock.filter(({ period }) => period <= periods),
    answer: scenario.answer.map(one => ({ ...one, from: Math.min(one.from, periods) }))
  }
}

/** A file where there is one, else a shipped scenario of that name. Throws SCENARIO_UNKNOWN. */
async function readScenario(name: string): Promise<string> {
  if (/^[a-z0-9-]+$/.test(name)) {
    const names = await shippedNames()
    if (names.includes(name)) return readFile(new URL(`${name}${ending}`, shippedFolder), 'utf8')
    throw new BlyanError('SCENARIO_UNKNOWN', { name: nearestWord(name, names) ?? name })
  }
  return new TextDecoder().decode(await readInput(name, 'the scenario', scenarioBytesMax))
}

async function shippedNames(): Promise<readonly string[]> {
  const files = await readdir(shippedFolder).catch(error => {
    throw unreadable(shippedFolder.pathname, error)
  })
  return files
    .filter(file => file.endsWith(ending))
    .map(file => file.slice(0, -ending.length))
    .sort()
}

async function textOf(result: ScenarioResult): Promise<string> {
  const { question, seed, happened, answers } = result
  const parts = [strong(question), faint(`seed ${seed}`), '', await answersText(answers), '']
  if (happened.length > 0) parts.push(...happened, '')
  parts.push(await rowsText(result), '', await refusalsText(result))
  return parts.join('\n')
}

function answersText(answers: readonly Answer[]): Promise<string> {
  return table(
    ['asked', 'answer', 'wanted', 'met', 'from'],
    answers.map(answer => [
      answer.text,
      `${amountText(answer.value, answer.unit)}${answer.unit === 'share' ? '' : ` ${answer.unit}`}`,
      wantedText(answer),
      answer.isMet === null ? null : answer.isMet ? coloured('green', 'yes') : coloured('red', 'no'),
      answer.seed
    ])
  )
}

function wantedText({ atLeast, atMost, unit }: Answer): string | null {
  const bounds = [
    atLeast === null ? '' : `at least ${amountText(atLeast, unit)}`,
    atMost === null ? '' : `at most ${amountText(atMost, unit)}`
  ].filter(text => text !== '')
  return bounds.length === 0 ? null : bounds.join(', ')
}

/** Some of the periods, from the first to the last, in the measures that were asked about. */
function rowsText({ rows, answers }: ScenarioResult): Promise<string> {
  const names: MeasureName[] = [...new Set([...answers.map(({ measure }) => measure), 'validators' as const])]
  const places = new Set(
    Array.from({ length: Math.min(shownPeriods, rows.length) }, (_, at) =>
      Math.round((at * (rows.length - 1)) / Math.max(1, Math.min(shownPeriods, rows.length) - 1))
    )
  )
  return table(
    ['period', ...names],
    [...places].map(place => [place + 1, ...names.map(name => cell(rows[place]!, name))])
  )
}

function cell(row: Row, name: MeasureName): string {
  return amountText(row[name], measures[name].unit)
}

async function refusalsText({ events }: ScenarioResult): Promise<string> {
  const applied = events.filter(({ refusal }) => refusal === '').reduce((sum, { count }) => sum + count, 0)
  const refused = events.filter(({ refusal }) => refusal !== '').toSorted((one, other) => other.count - one.count)
  return fields([
    ['applied', applied],
    [
      'refused',
      refused.length === 0 ? 'none' : refused.map(one => `${one.type} ${one.refusal} ${one.count}`).join(', ')
    ]
  ])
}

/** Shares as percent, the rest with few digits. */
export function amountText(value: number, unit: string): string {
  if (unit === 'share') return `${Number((value * 100).toPrecision(4))} %`
  const digits = Math.abs(value) >= 1000 ? 0 : Math.abs(value) >= 1 ? 2 : 4
  return value.toLocaleString('en', { maximumFractionDigits: digits }).replaceAll(',', ' ')
}
