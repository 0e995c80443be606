import type { CheckpointView } from '../../node/index.ts'
import { type RegisterCommand, wholeNumber } from '../context.ts'
import { fields } from '../output.ts'

export const register: RegisterCommand = (command, context) => {
  command
    .command('show')
    .summary('a checkpoint and who signed it')
    .option('--sequence <n>', 'which one; the newest unless given', wholeNumber(0, Number.MAX_SAFE_INTEGER))
    .action(async (query: { sequence?: number }) => {
      const { output, daemon } = context()
      const checkpoint = await (await daemon()).json<CheckpointView>({ path: '/v0/checkpoint', query })
      await output.answer(checkpoint, () => checkpointText(checkpoint))
    })
}

function checkpointText(checkpoint: CheckpointView): string {
  const { A, B, C, D } = checkpoint.chainHeads
  return fields([
    ['sequence', checkpoint.sequence],
    ['digest', checkpoint.digest],
    ['commit', `${checkpoint.commit} (${checkpoint.commitDigest})`],
    ['state root', checkpoint.stateRoot],
    ['event root', checkpoint.eventRoot],
    ['events', `${checkpoint.eventCount} from ${checkpoint.eventFirst}`],
    ['heads', `A ${A ?? '-'}  B ${B ?? '-'}  C ${C ?? '-'}  D ${D ?? '-'}`],
    ['time', checkpoint.time],
    ['signers', checkpoint.signers.join(' ')]
  ])
}
