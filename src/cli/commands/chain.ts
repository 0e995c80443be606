import { Argument } from 'commander'
import type { BlockView, ChainVerification } from '../../node/index.ts'
import { type RegisterCommand, wholeNumber } from '../context.ts'
import { fields, printable } from '../output.ts'

const verifyTimeoutMs = 600_000

export const register: RegisterCommand = (command, context) => {
  command
    .command('show')
    .summary('blocks of a chain, in its order')
    .addArgument(new Argument('<chain>', 'A meta, B parameters, C ledger, D datasets').choices(['A', 'B', 'C', 'D']))
    .option('--from <n>', 'first position', wholeNumber(0, Number.MAX_SAFE_INTEGER), 0)
    .option('--limit <n>', 'most blocks', wholeNumber(1, 1_000_000), 100)
    .action(async (chain: string, query: { from: number; limit: number }) => {
      const { output, daemon } = context()
      for await (const block of (await daemon()).lines<BlockView>({ path: `/v0/chains/${chain}/blocks`, query })) {
        await output.line(block, () => blockLine(block))
      }
    })
  command
    .command('verify')
    .summary('check everything that is on disk')
    .action(async () => {
      const { output, daemon } = context()
      const result = await (await daemon()).json<ChainVerification>({
        path: '/v0/chains/verify',
        timeoutMs: verifyTimeoutMs
      })
      if (!result.valid) process.exitCode = 1
      await output.answer(result, () =>
        fields([
          ['valid', result.valid ? 'yes' : 'NO'],
          ['reason', result.reason],
          ['blocks', result.blocks],
          ['events', result.events],
          ['state root', result.stateRoot],
          ['checked from', sinceText(result.since)],
          ['took', `${result.elapsedMs} ms`]
        ])
      )
    })
}

function sinceText(since: ChainVerification['since']): string {
  return since === null
    ? 'genesis'
    : `certified checkpoint ${since.sequence} (commit ${since.commit}): older history is not kept here`
}

function blockLine(block: BlockView): string {
  const part = [block.expert_name, block.layer_id === null ? null : `layer ${block.layer_id}`].filter(Boolean).join(' ')
  return printable(
    `${String(block.index).padStart(8)}  ${block.cid}  ${block.block_type}${part === '' ? '' : `  ${part}`}`
  )
}
