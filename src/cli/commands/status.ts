import type { NodeStatus } from '../../node/index.ts'
import type { RegisterCommand } from '../context.ts'
import { coloured, fields, sizeText } from '../output.ts'

export const register: RegisterCommand = (command, context) => {
  command.action(async () => {
    const { output, daemon } = context()
    const status = await (await daemon()).json<NodeStatus>({ path: '/v0/status' })
    await output.answer(status, () => statusText(status))
  })
}

/** What a person wants to know first, from the top. */
export function statusText(status: NodeStatus): string {
  const { quorum, chains, checkpoint, sync } = status
  const colour = status.state === 'ready' ? 'green' : status.state === 'degraded' ? 'red' : 'yellow'
  const text = fields([
    ['state', status.state],
    [
      'syncing',
      sync === null ? null : `commit ${sync.commit} of ${sync.targetCommit}, ${sync.commitsPerSecond} a second`
    ],
    ['network', `${status.network}, genesis ${status.genesis}`],
    ['node', status.nodeId],
    ['account', status.account],
    ['roles', status.roles.join(', ') || 'none: follows and checks'],
    ['version', status.version],
    ['quorum', `${quorum.connected} of ${quorum.validators} validators here, ${quorum.needed} needed`],
    ['', quorum.promise],
    ['round', `${quorum.round}, final ${quorum.finalRound}, ${quorum.commits} commits, epoch ${quorum.epoch}`],
    ['events', `${status.events.final} final, ${status.events.pending} pending`],
    ['checkpoint', checkpoint.digest === null ? 'none yet' : `${checkpoint.sequence}, ${checkpoint.signers} signers`],
    ['chains', `A ${chains.A.height}, B ${chains.B.blocks} blocks, C ${chains.C.height}, D ${chains.D.height}`],
    ['peers', status.peers],
    ['stake', status.stake],
    ['disk', `${sizeText(status.disk.usedBytes)} used, ${sizeText(status.disk.freeBytes)} free`],
    ['device', `${status.device.provider}, ${status.device.name}`],
    ['addresses', status.addresses.join(' ') || null],
    ['data', status.dataFolder],
    ['alarms', status.alarms.join('; ') || null],
    ['next step', status.nextStep]
  ])
  return text.replace(status.state, coloured(colour, status.state))
}
