import type { NodeStatus } from '../../node/index.ts'
import type { RegisterCommand } from '../context.ts'
import { statusText } from '../status-text.ts'

export const register: RegisterCommand = (command, context) => {
  command.action(async () => {
    const { output, daemon } = context()
    const status = await (await daemon()).json<NodeStatus>({ path: '/v0/status' })
    await output.answer(status, () => statusText(status))
  })
}
