import type { ExpertEvidenceCheck, ExpertEvidenceView, OffenceView } from '../../node/index.ts'
import { type CommandContext, type RegisterCommand, wholeNumber } from '../context.ts'
import { fields, printable, table } from '../output.ts'

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
  command
    .command('holders')
    .summary('holders of experts that signed answers which their weights do not give')
    .option('--limit <n>', 'most entries', wholeNumber(1, 1024), 100)
    .action((query: { limit: number }) => holders(context(), query))
  command
    .command('check')
    .summary('compute again what evidence against a holder says')
    .argument('<number>', 'of the evidence, as "evidence holders" shows it', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .action((number: number) => check(context(), number))
}

async function holders({ output, daemon }: CommandContext, query: { limit: number }): Promise<void> {
  const found = await (await daemon()).json<ExpertEvidenceView[]>({ path: '/v0/evidence/holders', query })
  await output.answer(found, () =>
    found.length === 0
      ? 'no evidence against holders'
      : table(
          ['number', 'when', 'holder', 'exhibits', 'brought by'],
          found.map(({ number, time, peerId, exhibits, reporter }) => [
            String(number),
            time,
            peerId,
            String(exhibits),
            reporter
          ])
        )
  )
}

async function check({ output, daemon }: CommandContext, number: number): Promise<void> {
  const client = await daemon()
  const found = await client.json<ExpertEvidenceCheck>({ path: `/v0/evidence/holders/${number}/check` })
  await output.answer(found, () =>
    fields([
      ['evidence', String(found.number)],
      ['holder', found.peerId],
      ['brought by', found.reporter],
      ['in event', found.event],
      ...found.checked.map(({ weights, difference, doubt, isProven }): [string, string] => [
        isProven ? 'proven' : 'not proven',
        `${percent(difference)} away from what ${weights} gives; an honest machine can be ${percent(doubt)} away`
      ]),
      ['verdict', found.isProven ? 'the holder did not compute with these weights' : 'it can have been honest']
    ])
  )
}

function percent(share: number): string {
  return share > 100 ? 'any amount' : `${(share * 100).toPrecision(3)}%`
}
