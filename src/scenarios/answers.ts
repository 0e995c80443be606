import { type MeasureName, measures, type Row } from './measures.ts'
import type { Question, Scenario } from './scenario.ts'

/** One question of a scenario with its number. */
export type Answer = {
  readonly text: string
  readonly measure: MeasureName
  readonly take: Question['take']
  readonly unit: string
  readonly value: number
  readonly atLeast: number | null
  readonly atMost: number | null
  /** Whether the value is within what was asked for; null when nothing was. */
  readonly isMet: boolean | null
  readonly seed: string | null
}

const monthHours = 730
const yearHours = 8760

export function answersOf(scenario: Scenario, rows: readonly Row[]): Answer[] {
  return scenario.answer.map(question => {
    const { text, measure, take, atLeast, atMost, seed } = question
    const value = answerOf(question, rows, scenario.periodHours)
    const isAsked = atLeast !== undefined || atMost !== undefined
    const isMet = (atLeast === undefined || value >= atLeast) && (atMost === undefined || value <= atMost)
    return {
      text,
      measure,
      take,
      unit: take.startsWith('change') ? 'share' : measures[measure].unit,
      value,
      atLeast: atLeast ?? null,
      atMost: atMost ?? null,
      isMet: isAsked ? isMet : null,
      seed: seed ?? null
    }
  })
}

function answerOf({ measure, take, from }: Question, rows: readonly Row[], periodHours: number): number {
  const values = rows.slice(from - 1).map(row => row[measure])
  const sum = values.reduce((total, value) => total + value, 0)
  switch (take) {
    case 'last':
      return values.at(-1)!
    case 'least':
      return values.reduce((least, value) => Math.min(least, value))
    case 'most':
      return values.reduce((most, value) => Math.max(most, value))
    case 'sum':
      return sum
    case 'mean':
      return sum / values.length
    default:
      return changeOf(values, periodHours, take)
  }
}

/** What it grew by, in parts of what it was; over a month or a year as if it went on as it went. */
function changeOf(values: readonly number[], periodHours: number, take: Question['take']): number {
  const [first, last] = [values[0]!, values.at(-1)!]
  if (first <= 0 || values.length < 2) return 0
  const hours = (values.length - 1) * periodHours
  const times = take === 'change' ? 1 : (take === 'change-per-month' ? monthHours : yearHours) / hours
  return (last / first) ** times - 1
}
