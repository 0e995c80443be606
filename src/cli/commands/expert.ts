import type { ExpertHolderView, ExpertView } from '../../node/index.ts'
import type { RegisterCommand } from '../context.ts'
import { fields, table } from '../output.ts'

type ExpertDetails = ExpertView & { readonly history: readonly string[]; readonly heldBy: readonly ExpertHolderView[] }

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
        return part.heldBy.length === 0 ? facts : `${facts}\n\n${await holdersTable(part.heldBy)}`
      })
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
