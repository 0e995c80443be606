import type { OffenceView } from '../../node/index.ts'
import type { RegisterCommand } from '../context.ts'
import { wholeNumber } from '../context.ts'
import { printable } from '../output.ts'

export const register: RegisterCommand = (command, context) => {
  command
    .command('list')
    .summary('validators that were proven to have signed twice')
    .option('--limit <n>', 'most entries', wholeNumber(1, 10_000), 1000)
    .action(async (query: { limit: number }) => {
      const { output, daemon } = context()
      for await (const offence of (await daemon()).lines<OffenceView>({ path: '/v0/evidence', query })) {
        const { epoch, round, key, name, time } = offence
        await output.line(offence, () =>
          printable(`epoch ${epoch}  round ${round}  ${key}  ${name ?? 'no validator now'}  ${time}`)
        )
      }
    })
}
