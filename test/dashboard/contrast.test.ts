import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { staticFile } from './static-module.ts'

const css = readFileSync(staticFile('base.css'), 'utf8')
const colours = new Map(
  [...css.matchAll(/--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)/g)].map(([, name, light, dark]) => [
    name!,
    { light: light!, dark: dark! }
  ])
)

/** Text on what it stands on, as the style sheets use them. WCAG AA: 4.5 for text, 3 for lines that carry meaning. */
const pairs: readonly (readonly [string, string, number])[] = [
  ...['text', 'faint', 'accent'].flatMap(text =>
    ['ground', 'surface', 'raised'].map(ground => [text, ground, 4.5] as const)
  ),
  ...['warn', 'bad'].map(text => [text, 'ground', 4.5] as const),
  ['on-accent', 'accent', 4.5],
  ['text', 'accent-soft', 4.5],
  ['good', 'good-soft', 4.5],
  ['warn', 'warn-soft', 4.5],
  ['bad', 'bad-soft', 4.5],
  ['bad', 'surface', 4.5],
  ['faint', 'raised', 4.5],
  ['edge', 'surface', 3],
  ['edge', 'ground', 3],
  ['second', 'surface', 3],
  ['good', 'surface', 3],
  ['accent', 'surface', 3]
]

test('every text is readable on its ground, in light and in dark', () => {
  assert.ok(colours.size >= 17)
  for (const [text, ground, least] of pairs)
    for (const theme of ['light', 'dark'] as const) {
      const ratio = contrast(colours.get(text)![theme], colours.get(ground)![theme])
      assert.ok(ratio >= least, `${text} on ${ground} (${theme}): ${ratio.toFixed(2)} is below ${least}`)
    }
})

function contrast(one: string, other: string): number {
  const [bright, dim] = [luminance(one), luminance(other)].sort((a, b) => b - a) as [number, number]
  return (bright + 0.05) / (dim + 0.05)
}

function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map(at => {
    const share = Number.parseInt(colour.slice(at, at + 2), 16) / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
