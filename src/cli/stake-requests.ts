import { BlyanError } from '../errors/index.ts'
import type { OperatorView, StakeView } from '../node/index.ts'
import type { CommandContext } from './context.ts'

/** Whom a person named by name, account or key: the operator of this node's account unless given. Throws OPERATOR_NOT_OWN, OPERATOR_NOT_FOUND. */
export async function fetchOperator(context: CommandContext, wanted: string | undefined): Promise<OperatorView> {
  const daemon = await context.daemon()
  if (wanted !== undefined)
    return daemon.json<OperatorView>({ path: `/v0/validators/${encodeURIComponent(wanted.slice(0, 128))}` })
  const { account } = await fetchStake(context)
  try {
    return await daemon.json<OperatorView>({ path: `/v0/validators/${account}` })
  } catch (error) {
    if ((error as { code?: string }).code === 'OPERATOR_NOT_FOUND')
      throw new BlyanError('OPERATOR_NOT_OWN', { account }, { cause: error })
    throw error
  }
}

/** What the account of this node has staked. */
export async function fetchStake(context: CommandContext): Promise<StakeView> {
  return (await context.daemon()).json<StakeView>({ path: '/v0/stake' })
}
