import { BlyanError } from '../errors/index.ts'
import { formatCoins, parseCoins } from './amounts.ts'

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
type Unit = keyof typeof unitMs
const percentDecimals = 4

/** Milliseconds of `90s`, `10m`, `72h`, `21d` or `1500ms`. Throws USAGE. */
export function parseDuration(text: string): number {
  const [, count, unit] = /^(\d{1,12})(ms|s|m|h|d)$/.exec(text) ?? []
  if (count === undefined) throw wrong(text, 'a duration', 'write it like 90s, 10m, 72h or 21d')
  return Number(count) * unitMs[unit as Unit]
}

/** The largest unit that leaves no rest. */
export function formatDuration(durationMs: number): string {
  const units = ['d', 'h', 'm', 's'] as const
  const unit = units.find(one => durationMs >= unitMs[one] && durationMs % unitMs[one] === 0) ?? 'ms'
  return `${durationMs / unitMs[unit]}${unit}`
}

/** The value of a parameter as people write it: coins for `...Units`, `3d` for `...Ms`, `33.4%` for `...Ppm`. */
export function parseParameter(name: string, text: string): string {
  if (name.endsWith('Units')) return parseCoins(text).toString()
  if (name.endsWith('Ms')) return parseDuration(text).toString()
  if (name.endsWith('Ppm') && text.endsWith('%')) return parsePercent(text).toString()
  if (!/^\d{1,27}$/.test(text)) throw wrong(text, 'a whole number', `see "blyan-node parameters" for ${name}`)
  return BigInt(text).toString()
}

export function formatParameter(name: string, value: string): string {
  if (name.endsWith('Units')) return formatCoins(value, 'BLY')
  if (name.endsWith('Ms')) return formatDuration(Number(value))
  if (!name.endsWith('Ppm')) return value
  const [whole, fraction] = [
    BigInt(value) / 10_000n,
    (BigInt(value) % 10_000n).toString().padStart(percentDecimals, '0')
  ]
  const shown = fraction.replace(/0+$/, '')
  return `${whole}${shown === '' ? '' : `.${shown}`}%`
}

function parsePercent(text: string): bigint {
  const [, whole, fraction = ''] = /^(\d{1,3})(?:\.(\d{1,4}))?%$/.exec(text) ?? []
  if (whole === undefined) throw wrong(text, 'a percentage', 'write it like 33.4%')
  return BigInt(whole) * 10_000n + BigInt(fraction.padEnd(percentDecimals, '0'))
}

function wrong(text: string, what: string, hint: string): BlyanError {
  return new BlyanError('USAGE', { reason: `"${text.slice(0, 40)}" is not ${what}`, hint })
}
