import type { PeerView } from '../../node/index.ts'
import type { RegisterCommand } from '../context.ts'
import { table } from '../output.ts'
import { memberText } from '../status-text.ts'

export const register: RegisterCommand = (command, context) => {
  command.action(async () => {
    const { output, daemon } = context()
    const answer = await (await daemon()).json<{ peers: readonly PeerView[] }>({ path: '/v0/peers' })
    await output.answer(answer, () =>
      table(
        ['peer', 'validator', 'roles', 'address', 'way', 'latency', 'round', 'score', 'keeps up'],
        answer.peers.map(peer => [
          peer.peerId,
          peer.validator,
          peer.roles.join(','),
          peer.address,
          peer.direction,
          peer.latencyMs === null ? null : `${Math.round(peer.latencyMs)} ms`,
          peer.round,
          peer.score,
          peer.member === null ? null : memberText(peer.member)
        ])
      )
    )
  })
}
