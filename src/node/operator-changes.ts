import { publicKeyToText, type SigningKey } from '../codec/index.ts'
import type { Chains, Genesis } from '../dag/index.ts'
import { BlyanError } from '../errors/index.ts'
import { keyProof, peerProof, readPool } from '../ledger/index.ts'
import type { NamedKey, OwnValidatorKeys } from './validator-keys.ts'
import type { ValidatorChange } from './validator-types.ts'

export type OperatorNeeds = {
  readonly genesis: Genesis
  readonly chains: Pick<Chains, 'state'>
  readonly keys: OwnValidatorKeys
  /** Opens a key that was made after the node started; undefined where that cannot be done. */
  readonly openKey: ((name: string) => Promise<NamedKey['key']>) | undefined
  /** Answers for this node's validator. */
  readonly account: string
  readonly nodeKey: SigningKey
  readonly name: string
  readonly origin: string
  readonly region: string
}

/**
 * The event of the operator that a change comes to, where stake decides who validates. The node's keys sign in it that
 * they want this account to answer for them; the event itself is signed by the account.
 */
export async function operatorEvent(
  needs: OperatorNeeds,
  change: ValidatorChange
): Promise<{ readonly type: string; readonly json: unknown }> {
  const { genesis, account, nodeKey } = needs
  switch (change.change) {
    case 'join': {
      const own = needs.keys.all.at(-1)
      if (own === undefined) throw new BlyanError('VALIDATOR_NO_KEY', { detail: '' })
      const peer = peerProof(genesis.digest, account, nodeKey)
      const json = {
        ...keyProof(genesis.digest, account, own.key),
        ...peer,
        name: change.name ?? (needs.name || peer.peerId.slice(-8)),
        origin: change.origin ?? needs.origin,
        region: change.region ?? needs.region,
        commissionBasisPoints: change.commissionBasisPoints ?? commissionNow(needs),
        website: change.website ?? ''
      }
      return { type: 'operator-join', json }
    }
    case 'edit': {
      const { change: _, ...json } = change
      return { type: 'operator-edit', json }
    }
    case 'leave':
    case 'unjail':
      return { type: `operator-${change.change}`, json: {} }
    case 'rotate':
      return { type: 'operator-rotate', json: await rotation(needs, change.key) }
    default:
      throw new BlyanError('VALIDATORS_BY_STAKE', { change: change.change })
  }
}

const commissionUsual = 500

/** Who comes back keeps what it took before, unless it says otherwise. */
function commissionNow({ chains, account }: OperatorNeeds): number {
  return readPool(chains.state, account)?.commissionBasisPoints ?? commissionUsual
}

async function rotation(needs: OperatorNeeds, name: string | undefined): Promise<unknown> {
  const { keys, openKey, genesis, account, chains, nodeKey } = needs
  if (name !== undefined && keys.named(name) === undefined && openKey !== undefined)
    keys.add({ name, key: await openKey(name) })
  const own = name === undefined ? keys.all.at(-1) : keys.named(name)
  const pool = readPool(chains.state, account)
  const peer = peerProof(genesis.digest, account, nodeKey)
  const isOtherNode = pool !== undefined && pool.peerId !== peer.peerId
  if (own === undefined || (publicKeyToText(own.key.publicKey) === pool?.key && !isOtherNode))
    throw new BlyanError('VALIDATOR_NO_KEY', { detail: ' that could take the place of the old one' })
  // A node that was given another network identity tells so with its next key.
  return { ...keyProof(genesis.digest, account, own.key), ...(isOtherNode ? peer : { peerId: null, peerProof: null }) }
}
