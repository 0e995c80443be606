import type { CandidateDetails, CandidateView, MeasurementView, PartVersionsView } from '../node/index.ts'
import { reasonText } from './learn-text.ts'
import { fields, table } from './output.ts'

const versionsShownMax = 16
const partsShownMax = 4

/** Newest first, a line each. */
export function candidatesTable(candidates: readonly CandidateView[]): Promise<string> {
  const rows = candidates.map(candidate => [
    candidate.id,
    candidate.source === 'round' ? `round ${candidate.round}` : 'proposal',
    partsText(candidate.parts.map(({ name }) => name)),
    candidate.status,
    candidate.reason === 'none' ? '' : candidate.reason,
    candidate.measured,
    natsText(candidate.beforeNano),
    natsText(candidate.afterNano),
    candidate.openedAt
  ])
  return table(['candidate', 'from', 'parts', 'status', 'reason', 'measured', 'before', 'after', 'opened'], rows)
}

/** One candidate: what it changes, what it was trained on, who measured it with what result. */
export async function candidateText(candidate: CandidateDetails): Promise<string> {
  const { lineage, measurements, parts } = candidate
  const facts = fields([
    ['candidate', candidate.id],
    ['model', candidate.model],
    ['from', candidate.source === 'round' ? `round ${candidate.round}` : 'a proposal outside rounds'],
    ['author', candidate.author],
    ['status', candidate.status],
    ['reason', candidate.reason === 'none' ? null : reasonText(candidate.reason)],
    ['opened', candidate.openedAt],
    ['due', candidate.dueAt],
    [
      'trained on',
      lineage === null ? null : `${lineage.tokens} tokens in ${lineage.steps} steps of ${lineage.shards.length} shards`
    ]
  ])
  const changes = await table(
    ['part', 'tensor', 'was'],
    parts.map(({ name, tensor, base }) => [name, tensor, base])
  )
  return [facts, changes, await measurementsTable(measurements)].join('\n\n')
}

function measurementsTable(measurements: readonly MeasurementView[]): Promise<string> {
  const rows = measurements.map(one => [
    one.operator,
    one.verdict,
    one.reason === 'none' ? '' : one.reason,
    natsText(one.beforeNano),
    natsText(one.afterNano),
    one.gainNano === null || one.errorNano === null ? null : `${natsText(one.gainNano)} ± ${natsText(one.errorNano)}`,
    one.sequences
  ])
  return table(['measured by', 'verdict', 'reason', 'before', 'after', 'gain in nats per token', 'sequences'], rows)
}

/** Versions of a part, newest last, each usable with --part; and how the newest is made. */
export async function versionsText(part: {
  readonly name: string
  readonly history: readonly string[]
  readonly tensors: readonly string[]
  readonly learning: PartVersionsView | null
}): Promise<string> {
  const { tensors, history, learning } = part
  const first = Math.max(0, tensors.length - versionsShownMax)
  const rows = tensors.slice(first).map((tensor, place) => [first + place, tensor, history[first + place] ?? null])
  const texts = [await table(['version', 'tensor', 'block'], rows)]
  if (tensors.length > 1)
    texts.push(`an older one beside the newest: blyan-node chat --part ${part.name}=${tensors[0]}`)
  if (learning !== null && learning.updates.length > 0)
    texts.push(`the newest is a snapshot and ${learning.updates.length} updates of ${bytesOf(learning.updates)} bytes`)
  if (learning !== null && learning.candidates.length > 0) texts.push(await candidatesTable(learning.candidates))
  return texts.join('\n\n')
}

function partsText(names: readonly string[]): string {
  const more = names.length - partsShownMax
  return more > 0 ? `${names.slice(0, partsShownMax).join(' ')} and ${more} more` : names.join(' ')
}

function bytesOf(updates: readonly { readonly sizeBytes: number }[]): number {
  return updates.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
}

function natsText(nano: number | null): string | null {
  return nano === null ? null : (nano / 1e9).toFixed(5)
}
