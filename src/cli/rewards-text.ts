import type { RunningPeriodView, SettlementView, ValidatorRewardView } from '../node/index.ts'
import { formatCoins } from './amounts.ts'
import { faint, printable, table } from './output.ts'

type Whole = Pick<SettlementView, 'rounds' | 'spanMs' | 'baseUnits' | 'speedLimitMs'>

/** The formula of one validator, a factor a line, each with what it comes from. */
export function settlementText(settlement: SettlementView, operator: string): string {
  const { period, since, until, validatorScale } = settlement
  const row = settlement.validators.find(one => one.operator === operator)
  const head = `period ${period}, ${since} to ${until}`
  if (row === undefined) return `${head}\n${operator} was not in the set`
  const { wantedUnits, paidUnits } = validatorScale
  const scale =
    wantedUnits === paidUnits
      ? line('scale', 'x 1', 'the period could pay all that was earned')
      : line(
          'scale',
          `x ${ratio(BigInt(paidUnits), BigInt(wantedUnits))}`,
          `${formatCoins(paidUnits, 'BLY')} to pay / ${formatCoins(wantedUnits, 'BLY')} earned by all`
        )
  return [
    `${printable(row.name ?? row.operator)} in ${head}`,
    ...factorLines(row, settlement),
    line('reward', `= ${formatCoins(row.rewardUnits, 'BLY')}`, 'rounded down once, here'),
    scale,
    line('paid', `= ${formatCoins(row.paidUnits, 'BLY')}`, 'rounded down; to its pool, see "blyan-node rewards claim"')
  ].join('\n')
}

export function runningText(running: RunningPeriodView, operator: string): string {
  const { period, since, endsAt, rounds } = running
  const head = `period ${period} runs since ${since}, to ${endsAt} or the first commit after it`
  const row = running.validators.find(one => one.operator === operator)
  if (row === undefined) return `${head}\n${operator} is not in the set; ${rounds} rounds until now`
  return [
    `${printable(row.name ?? row.operator)}: ${head}`,
    ...factorLines(row, running),
    line('until now', `= ${formatCoins(row.rewardUnits, 'BLY')}`, 'if it went on like this; before it is scaled')
  ].join('\n')
}

export function settlementTable(settlements: readonly SettlementView[], operator: string): Promise<string> {
  const rows = settlements.map(settlement => {
    const row = settlement.validators.find(one => one.operator === operator)
    if (row === undefined) return [settlement.period, settlement.until, ...Array.from({ length: 7 }, () => null)]
    const { rounds, spanMs } = settlement
    return [
      settlement.period,
      settlement.until,
      ratio(BigInt(Math.min(row.committed, rounds)), BigInt(rounds)),
      ratio(BigInt(row.presentMs), BigInt(spanMs)),
      row.isFast ? 'yes' : 'no',
      row.isCorrect ? 'yes' : 'no',
      formatCoins(row.penaltyUnits, 'BLY'),
      formatCoins(row.rewardUnits, 'BLY'),
      formatCoins(row.paidUnits, 'BLY')
    ]
  })
  const head = ['period', 'until', 'participation', 'uptime', 'fast', 'correct', 'penalties', 'reward', 'paid']
  return table(head, rows)
}

export function expertsTable({ experts }: SettlementView): Promise<string> {
  return table(
    ['expert', 'holder', 'calls', 'of all', 'mean ms', 'score', 'vouched by', 'reward', 'paid'],
    experts.map(row => [
      row.expert,
      row.holder,
      row.calls,
      row.expertCalls,
      Math.floor(row.responseMsTotal / row.calls),
      ratio(BigInt(row.scorePpm), 1_000_000n),
      `${(row.scoredPpm / 10_000).toFixed(1)}%`,
      formatCoins(row.rewardUnits, 'BLY'),
      formatCoins(row.paidUnits, 'BLY')
    ])
  )
}

function factorLines(row: ValidatorRewardView, whole: Whole): string[] {
  const { rounds, spanMs, speedLimitMs } = whole
  const uptime = BigInt(spanMs) + BigInt(Math.min(row.presentMs, spanMs))
  const late =
    row.roundsMeasured === 0 ? 'not measured' : `${(row.lateMsTotal / row.roundsMeasured).toFixed(1)} ms late`
  const faults = `${row.wrongVotes} wrong votes, ${row.punishments} punishments`
  return [
    line('base', formatCoins(whole.baseUnits, 'BLY'), 'for a period'),
    line(
      'participation',
      `x ${ratio(BigInt(Math.min(row.committed, rounds)), BigInt(rounds))}`,
      `a committed vertex in ${row.committed} of ${rounds} rounds`
    ),
    line('uptime', `x ${ratio(uptime, BigInt(spanMs))}`, `1 + ${row.presentMs} ms there of ${spanMs} ms`),
    line(
      'speed',
      row.isFast ? 'x 1.1' : 'x 1',
      `${late} on average over ${row.roundsMeasured} rounds; the bonus is for less than ${speedLimitMs} ms`
    ),
    line('correctness', row.isCorrect ? 'x 1.2' : 'x 1', `${faults}; the bonus is for none`),
    line('penalties', `- ${formatCoins(row.penaltyUnits, 'BLY')}`, 'burnt by slashing in this period')
  ]
}

function line(name: string, value: string, origin: string): string {
  return `  ${faint(name.padEnd(13))}  ${value.padEnd(24)} ${faint(origin)}`
}

/** Nine decimals, cut off: the exact numbers are beside it. */
function ratio(over: bigint, under: bigint): string {
  if (under === 0n) return '0'
  const parts = ((over * 10n ** 9n) / under).toString().padStart(10, '0')
  return `${parts.slice(0, -9)}.${parts.slice(-9)}`.replace(/\.?0+$/, '')
}
