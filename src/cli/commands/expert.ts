import type { ExpertView } from '../../node/index.ts'
import type { RegisterCommand } from '../context.ts'
import { fields, table } from '../output.ts'

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
          part.tensor
        ])
        await output.answer(null, () => table(['name', 'layer', 'kind', 'shape', 'versions', 'here', 'tensor'], rows))
      }
    })
  command
    .command('show')
    .summary('one part and its history')
    .argument('<name>', 'its name, as list prints it')
    .action(async (name: string) => {
      const { output, daemon } = context()
      const part = await (await daemon()).json<ExpertView & { history: readonly string[] }>({
        path: `/v0/experts/${encodeURIComponent(name)}`
      })
      await output.answer(part, () =>
        fields([
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
      )
    })
}
