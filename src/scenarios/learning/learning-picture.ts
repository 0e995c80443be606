import { shortNumber } from '../picture.ts'
import { type LearningRow, seedPath, seedRows } from './learning-rows.ts'

const width = 960
const panelWidth = 444
const panelHeight = 290
const margin = { top: 92, left: 24, gap: 24, bottom: 40 }
const plotInset = { left: 46, top: 48, right: 10, bottom: 64 }
const keysPerRow = 3

type Line = {
  readonly name: string
  readonly style: 'ours' | 'faint' | 'seed'
  readonly points: readonly (readonly [learners: number, value: number])[]
}
type Panel = {
  readonly title: string
  readonly unit: string
  readonly isLogarithmic: boolean
  readonly lines: readonly Line[]
}

/**
 * Rows of several sizes of network beside the seed's: traffic, share of time that is training, tokens, and how long what
 * takes. Plain SVG: no scripts, no fonts of its own, readable on light and dark ground, every line named in words.
 */
export function drawLearningPicture(rows: readonly LearningRow[]): string {
  const panels = panelsOf(rows)
  const height = margin.top + Math.ceil(panels.length / 2) * (panelHeight + margin.gap) + margin.bottom
  const title = 'Learning at scale'
  const summary = `${rows.map(({ learners }) => learners).join(', ')} learners in ${rows[0]?.regions ?? 0} regions; handlers of a node, simulated machines and lines; dashed: what seed 004 says`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title summary">`,
    `<title id="title">${title}</title>`,
    `<desc id="summary">${escaped(summary)}</desc>`,
    '<style>',
    ':root{color-scheme:light dark}',
    '.ground{fill:#fcfcfb}.ink{fill:#1c1c1a}.faint{fill:#63625d}.frame{fill:none;stroke:#c9c8c2}.line{fill:none;stroke-width:1.8;stroke-linejoin:round}.ours{stroke:#1d5fb4}.second{stroke:#2b8a5a}.third{stroke:#8a5a9e}.fourth{stroke:#63625d}.seed{stroke:#b4531d;stroke-dasharray:5 4}',
    '@media (prefers-color-scheme:dark){.ground{fill:#161615}.ink{fill:#eeeeea}.faint{fill:#a3a29b}.frame{stroke:#45443f}.ours{stroke:#7db2f5}.second{stroke:#7fd0a5}.third{stroke:#c9a3dc}.fourth{stroke:#a3a29b}.seed{stroke:#f0a070}}',
    'text{font-family:system-ui,sans-serif}',
    '</style>',
    `<rect class="ground" width="${width}" height="${height}"/>`,
    `<text class="ink" x="${margin.left}" y="36" font-size="20" font-weight="600">${title}</text>`,
    `<text class="faint" x="${margin.left}" y="60" font-size="13">${escaped(summary)}</text>`,
    ...panels.map((panel, at) => {
      const x = margin.left + (at % 2) * (panelWidth + margin.gap)
      return drawPanel(panel, x, margin.top + Math.floor(at / 2) * (panelHeight + margin.gap))
    }),
    '</svg>',
    ''
  ].join('\n')
}

function panelsOf(rows: readonly LearningRow[]): readonly Panel[] {
  const line = (name: string, style: Line['style'], read: (row: LearningRow) => number | null): Line => ({
    name,
    style,
    points: rows.flatMap(row => {
      const value = read(row)
      return value === null ? [] : [[row.learners, value] as const]
    })
  })
  const seed = (name: string, read: (row: (typeof seedRows)[number]) => number): Line => ({
    name,
    style: 'seed',
    points: seedRows.map(row => [row.learners, read(row)] as const)
  })
  const seconds = (name: string, kind: keyof LearningRow['slowMs']): Line =>
    line(name, 'faint', ({ slowMs }) => (slowMs[kind] === null ? null : slowMs[kind] / 1000))
  return [
    {
      title: 'Traffic for each inner step',
      unit: 'MB, all learners together',
      isLogarithmic: true,
      lines: [
        line('fp32 every step', 'faint', row => row.rawMegabytes),
        line('all that is sent', 'faint', row => row.trafficMegabytes),
        line('between regions', 'ours', row => row.wideMegabytes),
        line('of it deltas', 'faint', row => row.wideUpMegabytes),
        seed('seed: network', row => row.trafficMegabytes),
        { name: 'seed: final WAN', style: 'seed', points: [[seedPath.learners, seedPath.wideMegabytes]] }
      ]
    },
    {
      title: 'Share of the time in which learners train',
      unit: 'percent',
      isLogarithmic: false,
      lines: [line('learners', 'ours', row => row.utilisation * 100), seed('seed', row => row.utilisation * 100)]
    },
    {
      title: 'Tokens a second',
      unit: 'all learners together, 120 each while they train',
      isLogarithmic: true,
      lines: [line('tokens', 'ours', row => row.tokensPerSecond), seed('seed', row => row.tokensPerSecond)]
    },
    {
      title: 'What a round waits for',
      unit: 'seconds that 95 of 100 do not exceed',
      isLogarithmic: true,
      lines: [
        line('result of a part', 'ours', row => (row.slowMs.aggregate === null ? null : row.slowMs.aggregate / 1000)),
        seconds('sum of a region', 'region'),
        seconds('measured', 'measure'),
        seconds('new version here', 'download')
      ]
    }
  ]
}

function drawPanel({ title, unit, isLogarithmic, lines }: Panel, x: number, y: number): string {
  const points = lines.flatMap(line => line.points)
  const learners = points.map(([count]) => Math.log(count))
  const values = points.map(([, value]) => value)
  const scaled = (value: number): number => (isLogarithmic ? Math.log(Math.max(value, 1e-6)) : value)
  const [left, right] = spread(Math.min(...learners), Math.max(...learners))
  const [least, most] = isLogarithmic
    ? spread(scaled(Math.min(...values)), scaled(Math.max(...values)))
    : [0, Math.max(1e-9, ...values, 100)]
  const plot = {
    x: x + plotInset.left,
    y: y + plotInset.top,
    width: panelWidth - plotInset.left - plotInset.right,
    height: panelHeight - plotInset.top - plotInset.bottom
  }
  const across = (count: number): number => plot.x + ((Math.log(count) - left) / (right - left)) * plot.width
  const up = (value: number): number => plot.y + plot.height * (1 - (scaled(value) - least) / (most - least))
  const counts = [...new Set(points.map(([count]) => count))].toSorted((one, other) => one - other)
  const ticks = isLogarithmic
    ? [Math.exp(least), Math.exp((least + most) / 2), Math.exp(most)]
    : [least, most / 2, most]
  const styles = ['second', 'third', 'fourth']
  let faint = 0
  let labelAt = 0
  const words = lines.map(
    ({ name, points: of }) => `${name}: ${of.map(([count, value]) => `${count} ${shortNumber(value)}`).join(', ')}`
  )
  return [
    `<g aria-label="${escaped(`${title} (${unit}). ${words.join('. ')}`)}">`,
    `<text class="ink" x="${x}" y="${y + 14}" font-size="13" font-weight="600">${escaped(title)}</text>`,
    `<text class="faint" x="${x}" y="${y + 31}" font-size="12">${escaped(unit)}</text>`,
    `<rect class="frame" x="${plot.x}" y="${plot.y}" width="${plot.width}" height="${plot.height}"/>`,
    ...ticks.map(
      tick =>
        `<text class="faint" x="${plot.x - 5}" y="${(up(tick) + 4).toFixed(1)}" font-size="10" text-anchor="end">${shortNumber(Number(tick.toPrecision(2)))}</text>`
    ),
    ...counts.map(
      count =>
        `<text class="faint" x="${across(count).toFixed(1)}" y="${plot.y + plot.height + 14}" font-size="10" text-anchor="middle">${count}</text>`
    ),
    ...lines.map(({ name, style, points: of }) => {
      const drawn = style === 'faint' ? styles[faint++ % styles.length]! : style
      const places = of.map(([count, value]) => `${across(count).toFixed(1)},${up(value).toFixed(1)}`)
      const key = plot.x + (labelAt % keysPerRow) * (plot.width / keysPerRow)
      const keyY = plot.y + plot.height + 34 + 16 * Math.floor(labelAt++ / keysPerRow)
      const dots = of.map(
        ([count, value]) =>
          `<circle class="${drawn}" cx="${across(count).toFixed(1)}" cy="${up(value).toFixed(1)}" r="2.4" fill="none" style="stroke-width:1.5;stroke-dasharray:none"/>`
      )
      return [
        `<polyline class="line ${drawn}" points="${places.join(' ')}"/>`,
        ...dots,
        `<line class="line ${drawn}" x1="${key}" y1="${keyY - 4}" x2="${key + 18}" y2="${keyY - 4}"/>`,
        `<text class="ink" x="${key + 24}" y="${keyY}" font-size="11">${escaped(name)}</text>`
      ].join('\n')
    }),
    '</g>'
  ].join('\n')
}

/** Never of no length. */
function spread(least: number, most: number): readonly [number, number] {
  return most > least ? [least, most] : [least - 1, most + 1]
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
