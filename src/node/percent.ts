const ppmPerPercent = 10_000

/** Parts per million of a percentage with at most four decimals, exactly. */
export function ppmOfPercent(text: string): number {
  const [whole = '0', fraction = ''] = text.split('.')
  return Number(whole) * ppmPerPercent + Number(fraction.padEnd(4, '0'))
}
