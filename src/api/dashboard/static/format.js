/** How numbers and names are shown. Pure. */
const coinDecimals = 9n

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })

export function count(value) {
  return whole.format(value)
}

/** 12,345 stays; above a hundred thousand 1.2M. */
export function shortCount(value) {
  return value < 100_000 ? whole.format(value) : short.format(value)
}

export function rate(value) {
  return value >= 100 ? whole.format(value) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

/** The ends of an identifier: enough to tell two apart. */
export function shortId(text, head = 6, tail = 6) {
  return text.length <= head + tail + 1 ? text : `${text.slice(0, head)}…${text.slice(-tail)}`
}

/** Whole coins of base units, with at most four decimals: `12.5`. Never rounded up. */
export function coins(units) {
  const value = BigInt(units)
  const scale = 10n ** coinDecimals
  const size = value < 0n ? -value : value
  const fraction = (size % scale).toString().padStart(Number(coinDecimals), '0')
  const shown = size >= 1000n * scale ? '' : fraction.slice(0, size < scale / 1000n ? 9 : 4).replace(/0+$/, '')
  return `${value < 0n ? '−' : ''}${whole.format(size / scale)}${shown === '' ? '' : `.${shown}`}`
}

export function size(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  const step = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1)
  const value = bytes / 1024 ** step
  return `${step === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[step]}`
}

export function percent(share) {
  return `${Math.round(share * 100)}%`
}

/** `850 ms`, `12.5 s`, `4 min`, `3 h`, `5 days`. */
export function duration(milliseconds) {
  const ms = Math.max(0, milliseconds)
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`
  if (ms < 5_400_000) return `${Math.round(ms / 60_000)} min`
  if (ms < 48 * 3_600_000) return `${Math.round(ms / 3_600_000)} h`
  return `${Math.round(ms / 86_400_000)} days`
}

export function clockTime(text) {
  const time = new Date(text)
  return Number.isNaN(time.getTime()) ? '' : time.toLocaleTimeString('en-GB')
}

export function plural(amount, one, many = `${one}s`) {
  return `${count(amount)} ${amount === 1 ? one : many}`
}
