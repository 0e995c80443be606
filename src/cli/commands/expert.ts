import type {
  CandidateDetails,
  CandidateView,
  ExpertHolderView,
  ExpertView,
  PartVersionsView
} from '../../node/index.ts'
import { candidatesTable, candidateText, versionsText } from '../candidates-text.ts'
import { type RegisterCommand, wholeNumber } from '../context.ts'
import { fields, table } from '../output.ts'

type ExpertDetails = ExpertView & {
  readonly history: readonly string[]
  readonly tensors: readonly string[]
  readonly heldBy: readonly ExpertHolderView[]
  readonly learning: PartVersionsView | null
}

export const register: RegisterCommand = (command, context) => {
  command
    .command('list')
    .summary("parts of the network's newest model")
    .action(async () => {
      const { output, daemon } = context()
      const { experts } = await (await daemon()).json<{ experts: readonly ExpertView[] }>({ path: '/v0/experts' })
      if (output.json) for (const expert of experts) await output.line(expert, () => '')
      else {
        const rows = experts.map(part => [
          part.name,
          part.layer,
          part.blockType,
          part.shape.join(' x '),
          part.versions,
          part.local ? 'yes' : 'no',
          part.holders,
          part.tensor
        ])
        const heads = ['name', 'layer', 'kind', 'shape', 'versions', 'here', 'others', 'tensor']
        await output.answer(null, () => table(heads, rows))
      }
    })
  command
    .command('show')
    .summary('one part and its history')
    .argument('<name>', 'its name, as list prints it')
    .action(async (name: string) => {
      const { output, daemon } = context()
      const part = await (await daemon()).json<ExpertDetails>({
        path: `/v0/experts/${encodeURIComponent(name)}`
      })
      await output.answer(part, async () => {
        const facts = fields([
          ['name', part.name],
          ['kind', part.blockType],
          ['layer', part.layer],
          ['shape', part.shape.join(' x ')],
          ['tensor', part.tensor],
          ['block', part.block],
          ['here', part.local ? 'yes' : 'no'],
          ['versions', part.versions],
          ['history', part.history.join(' ')]
        ])
        const holders = part.heldBy.length === 0 ? [] : [await holdersTable(part.heldBy)]
        return [facts, await versionsText(part), ...holders].join('\n\n')
      })
    })
  command
    .command('candidates')
    .summary('new versions that wait for measurement, or were measured')
    .argument('[candidate]', 'one of them, with every measurement')
    .option('--model <name>', 'of which model', 'genesis')
    .option('--limit <n>', 'most candidates', wholeNumber(1, 256), 16)
    .action(async (id: string | undefined, query: { model: string; limit: number }) => {
      const { output, daemon } = context()
      const path = '/v0/learning/candidates'
      if (id !== undefined) {
        const candidate = await (await daemon()).json<CandidateDetails>({ path: `${path}/${encodeURIComponent(id)}` })
        return output.answer(candidate, () => candidateText(candidate))
      }
      const { candidates } = await (await daemon()).json<{ candidates: readonly CandidateView[] }>({ path, query })
      if (output.json) for (const candidate of candidates) await output.line(candidate, () => '')
      else await output.answer(null, () => candidatesTable(candidates))
    })
}

function holdersTable(holders: readonly ExpertHolderView[]): Promise<string> {
  const rows = holders.map(({ peerId, standing, roundTripMs, openCalls, priceUnitsPer1000Rows }) => [
    peerId,
    standing,
    roundTripMs === null ? '' : roundTripMs.toFixed(1),
    openCalls,
    priceUnitsPer1000Rows
  ])
  return table(['holder', 'standing', 'round trip ms', 'open calls', 'units per 1000 rows'], rows)
}
