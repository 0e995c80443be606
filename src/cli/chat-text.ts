import type { AnswerNotes, AnswerProgress } from '../api/index.ts'
import { formatCoins } from './amounts.ts'
import { printable } from './output.ts'

const holdersShownMax = 4

/** One line before an answer begins: who makes it, and how fast that is expected to be. */
export function planText(
  model: string,
  { mode, predictedTokensPerSecond, remoteExperts, localExperts, holders }: AnswerNotes['plan']
): string {
  const where =
    remoteExperts === 0
      ? 'all at home'
      : `${localExperts} experts at home, ${remoteExperts} asked of ${counted(holders.length, 'peer')}`
  const speed =
    predictedTokensPerSecond === null ? 'speed not measured yet' : `about ${rate(predictedTokensPerSecond)} expected`
  return `${printable(model)}, ${mode}: ${where}, ${speed}`
}

/** One line after it: how much, how fast, what it costs, who answered. */
export function reportText(notes: AnswerNotes): string {
  const { holders, predictedTokensPerSecond, end } = notes
  const predicted = predictedTokensPerSecond === null ? '' : ` (predicted ${rate(predictedTokensPerSecond)})`
  const others = holders
    .slice(0, holdersShownMax)
    .map(({ peerId, rows }) => `${printable(peerId).slice(-8)} ${counted(rows, 'row')}`)
  const more = holders.length > holdersShownMax ? [`${holders.length - holdersShownMax} more`] : []
  const who = holders.length === 0 ? 'answered here' : `answered here and by ${[...others, ...more].join(', ')}`
  const full = end === 'length' ? ', cut at its limit of tokens' : ''
  return `${progressText(notes)}${predicted}, ${who}${full}`
}

export function progressText({ tokens, tokensPerSecond, costUnits, coin }: AnswerProgress): string {
  return `${counted(tokens, 'token')}, ${rate(tokensPerSecond)}, ${formatCoins(costUnits, coin)}`
}

function rate(tokensPerSecond: number): string {
  return `${tokensPerSecond < 10 ? tokensPerSecond.toFixed(1) : Math.round(tokensPerSecond)} tokens/s`
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

/** What a model wrote may reach a terminal only without control characters; lines and tabs stay. */
export function terminalText(text: string): string {
  return text.replace(/[^\n\t]+/g, printable)
}
