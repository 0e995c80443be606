import { type MeasureName, measures, type Row } from './measures.ts'
import type { ScenarioResult } from './run-scenario.ts'

const width = 960
const panelHeight = 150
const panelsPerRow = 2
const margin = { top: 96, left: 24, gap: 24, bottom: 24 }
/** More points than this say nothing more at this size. */
const pointsMax = 400
const usual: readonly MeasureName[] = [
  'circulating',
  'stakedShare',
  'rewardPerValidator',
  'treasury',
  'validators',
  'stakeGini',
  'operatorIncome',
  'standing'
]

/**
 * A drawing of what happened, one panel for each measure that was asked for and the usual ones. Plain SVG: no scripts,
 * no fonts of its own, readable on light and dark ground, every line with its numbers in words.
 */
export function drawPicture(result: ScenarioResult): string {
  const names = [...new Set([...result.answers.map(({ measure }) => measure), ...usual])]
  const panelWidth = (width - 2 * margin.left - margin.gap) / panelsPerRow
  const rowsOfPanels = Math.ceil(names.length / panelsPerRow)
  const height = margin.top + rowsOfPanels * (panelHeight + margin.gap) + margin.bottom
  const panels = names.map((name, at) => {
    const x = margin.left + (at % panelsPerRow) * (panelWidth + margin.gap)
    const y = margin.top + Math.floor(at / panelsPerRow) * (panelHeight + margin.gap)
    return panel(result, name, { x, y, width: panelWidth, height: panelHeight })
  })
  const met = result.answers.filter(({ isMet }) => isMet !== null)
  const summary = `${result.periods} periods of ${result.periodHours} h, seed ${result.seed}; ${met.filter(({ isMet }) => isMet).length} of ${met.length} targets met`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title summary">`,
    `<title id="title">${escaped(result.question)}</title>`,
    `<desc id="summary">${escaped(`${summary}. ${result.happened.join('; ')}`)}</desc>`,
    '<style>',
    ':root{color-scheme:light dark}',
    '.ground{fill:#fcfcfb}.ink{fill:#1c1c1a}.faint{fill:#63625d}.frame{fill:none;stroke:#c9c8c2}.line{fill:none;stroke:#1d5fb4;stroke-width:1.6;stroke-linejoin:round}.mark{stroke:#b4531d;stroke-dasharray:3 3}',
    '@media (prefers-color-scheme:dark){.ground{fill:#161615}.ink{fill:#eeeeea}.faint{fill:#a3a29b}.frame{stroke:#45443f}.line{stroke:#7db2f5}.mark{stroke:#f0a070}}',
    'text{font-family:system-ui,sans-serif}',
    '</style>',
    `<rect class="ground" width="${width}" height="${height}"/>`,
    `<text class="ink" x="${margin.left}" y="36" font-size="20" font-weight="600">${escaped(result.question)}</text>`,
    `<text class="faint" x="${margin.left}" y="58" font-size="13">${escaped(summary)}</text>`,
    `<text class="faint" x="${margin.left}" y="78" font-size="12">${escaped(clipped(result.happened.join('; ') || 'nothing happens from outside', 150))}</text>`,
    ...panels,
    '</svg>',
    ''
  ].join('\n')
}

type Box = { readonly x: number; readonly y: number; readonly width: number; readonly height: number }

function panel({ rows, answers, happened }: ScenarioResult, name: MeasureName, box: Box): string {
  const values = rows.map(row => row[name])
  const least = values.reduce((low, value) => Math.min(low, value), values[0]!)
  const most = values.reduce((high, value) => Math.max(high, value), values[0]!)
  const plot = { x: box.x, y: box.y + 40, width: box.width, height: box.height - 58 }
  const { text, unit } = measures[name]
  const range = `${shortNumber(least)} to ${shortNumber(most)}, last ${shortNumber(values.at(-1)!)}`
  const bounds = answers.filter(({ measure, take }) => measure === name && !take.startsWith('change') && take !== 'sum')
  const asked = [...new Set(bounds.flatMap(({ atLeast, atMost }) => [atLeast, atMost]))].filter(
    bound => bound !== null && bound >= least && bound <= most && most > least
  ) as number[]
  const at = (value: number): number =>
    plot.y + plot.height * (most === least ? 0.5 : 1 - (value - least) / (most - least))
  const times = happened.map(line => Number(/^period (\d+)/.exec(line)?.[1] ?? 0)).filter(period => period > 0)
  const across = (period: number): number =>
    plot.x + (rows.length === 1 ? 0 : ((period - 1) / (rows.length - 1)) * plot.width)
  return [
    `<g aria-label="${escaped(`${text}: ${range}`)}">`,
    `<text class="ink" x="${box.x}" y="${box.y + 12}" font-size="13" font-weight="600">${escaped(clipped(text, 66))}</text>`,
    `<text class="faint" x="${box.x}" y="${box.y + 29}" font-size="12">${escaped(`${unit}: ${range}`)}</text>`,
    `<rect class="frame" x="${plot.x}" y="${plot.y}" width="${plot.width}" height="${plot.height}"/>`,
    ...times.map(period => mark(across(period), plot.y, across(period), plot.y + plot.height)),
    ...asked.map(bound => mark(plot.x, at(bound), plot.x + plot.width, at(bound))),
    `<polyline class="line" points="${pointsOf(rows, name, across, at)}"/>`,
    `<text class="faint" x="${box.x}" y="${box.y + box.height - 4}" font-size="11">1</text>`,
    `<text class="faint" x="${box.x + box.width}" y="${box.y + box.height - 4}" font-size="11" text-anchor="end">period ${rows.length}</text>`,
    '</g>'
  ].join('\n')
}

function mark(x1: number, y1: number, x2: number, y2: number): string {
  return `<line class="mark" x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}"/>`
}

/** Of many periods that fall on one place the lowest and the highest, so that no spike is lost. */
function pointsOf(
  rows: readonly Row[],
  name: MeasureName,
  across: (period: number) => number,
  at: (value: number) => number
): string {
  const step = Math.max(1, Math.ceil((2 * rows.length) / pointsMax))
  const points: string[] = []
  for (let from = 0; from < rows.length; from += step) {
    const places = Array.from({ length: Math.min(step, rows.length - from) }, (_, one) => from + one)
    const ordered = places.toSorted((one, other) => rows[one]![name] - rows[other]![name])
    for (const place of new Set([ordered[0]!, ordered.at(-1)!].toSorted((one, other) => one - other)))
      points.push(`${across(place + 1).toFixed(1)},${at(rows[place]![name]).toFixed(1)}`)
  }
  if (points.length === 1) points.push(points[0]!.replace(/^[^,]+/, across(rows.length).toFixed(1)))
  return points.join(' ')
}

/** A number as people read it: few digits, thousands as k, M and G. */
export function shortNumber(value: number): string {
  const size = Math.abs(value)
  if (size >= 1e9) return `${trimmed(value / 1e9)}G`
  if (size >= 1e6) return `${trimmed(value / 1e6)}M`
  if (size >= 1e4) return `${trimmed(value / 1e3)}k`
  if (size !== 0 && size < 0.001) return value.toExponential(1)
  return trimmed(value)
}

function trimmed(value: number): string {
  return String(Number(value.toPrecision(4)))
}

function clipped(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`
}

function escaped(text: string): string {
  return text
    .replace(/[^\P{Cc}\n]/gu, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
