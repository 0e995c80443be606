import { bytesToHex, publicKeyToText, type SigningKey } from '../codec/index.ts'
import {
  type Chains,
  candidateKeys,
  currentSet,
  type Genesis,
  type HandlerRegistry,
  isSetChanging,
  pendingChanges,
  readApprovals,
  readCandidate,
  readEpoch,
  setAfter,
  signEvent
} from '../dag/index.ts'
import { BlyanError } from '../errors/index.ts'
import { type Offence, offencePrefix, rotationPayload } from '../ledger/index.ts'
import type { SubmittedEvent, Wait } from './blyan-node.ts'
import type { EventService } from './event-service.ts'
import { operatorEvent } from './operator-changes.ts'
import type { NamedKey, OwnValidatorKeys } from './validator-keys.ts'
import type { OffenceView, ValidatorChange, ValidatorsView, ValidatorView } from './validator-types.ts'
import { operatorsView, stakeRulesView } from './views/staking-view.ts'

export type ValidatorServiceNeeds = {
  readonly genesis: Genesis
  readonly handlers: HandlerRegistry
  readonly chains: Chains
  readonly events: Pick<EventService, 'submit' | 'nextClock'>
  readonly keys: OwnValidatorKeys
  /** Opens a key that was made after the node started; undefined where that cannot be done. */
  readonly openKey: ((name: string) => Promise<NamedKey['key']>) | undefined
  readonly peerId: string
  /** Answers for this node's validator where stake decides. */
  readonly account: string
  readonly nodeKey: SigningKey
  readonly name: string
  readonly origin: string
  readonly region: string
}

/** Asks for changes of the validator set with this node's own consensus key, and says who the validators are. */
export interface ValidatorService {
  /** Throws VALIDATOR_NO_KEY, and what submitting an event throws. */
  change(change: ValidatorChange, wait: Wait): Promise<SubmittedEvent>
  view(): ValidatorsView
  offences(limit: number): AsyncIterable<OffenceView>
}

export function createValidatorService(needs: ValidatorServiceNeeds): ValidatorService {
  return new NodeValidatorService(needs)
}

/** What there is where validators approve each other. */
type ApprovedChange = Exclude<ValidatorChange, { readonly change: 'edit' | 'unjail' }>

class NodeValidatorService implements ValidatorService {
  readonly #needs: ValidatorServiceNeeds
  /** One at a time: two events of a key must not take the same clock. */
  #queue: Promise<unknown> = Promise.resolve()

  constructor(needs: ValidatorServiceNeeds) {
    this.#needs = needs
  }

  change(change: ValidatorChange, wait: Wait): Promise<SubmittedEvent> {
    const done = this.#queue.then(() => this.#change(change, wait))
    this.#queue = done.catch(() => {})
    return done
  }

  async #change(change: ValidatorChange, wait: Wait): Promise<SubmittedEvent> {
    if (this.#needs.genesis.file.economy !== undefined) return this.#changeByStake(change, wait)
    if (change.change === 'edit' || change.change === 'unjail')
      throw new BlyanError('VALIDATORS_BY_APPROVAL', { change: change.change })
    const { handlers, genesis, events, origin, region } = this.#needs
    const { key } = this.#signerOf(change)
    const type = `validator-${change.change}`
    const payload = handlers.get(type).encodePayload(await this.#payloadOf(change, key))
    const envelope = {
      tenantId: '',
      logicalClock: events.nextClock(key.publicKey),
      region,
      origin,
      createdAtMs: Date.now(),
      type,
      payload,
      author: key.publicKey
    }
    return events.submit({ signedEvent: signEvent(envelope, key, genesis.digest).bytes }, wait)
  }

  async #changeByStake(change: ValidatorChange, wait: Wait): Promise<SubmittedEvent> {
    const { type, json } = await operatorEvent(this.#needs, change)
    return this.#needs.events.submit({ type, payload: this.#needs.handlers.get(type).encodePayload(json) }, wait)
  }

  async #payloadOf(change: ApprovedChange, key: NamedKey['key']): Promise<unknown> {
    switch (change.change) {
      case 'join': {
        const { peerId, name, origin, region } = this.#needs
        return {
          name: change.name ?? (name || peerId.slice(-8)),
          peerId,
          origin: change.origin ?? origin,
          region: change.region ?? region
        }
      }
      case 'leave':
        return {}
      case 'rotate':
        return this.#rotation(change.key, key)
      case 'withdraw':
        return { change: change.what, validator: change.validator ?? publicKeyToText(key.publicKey) }
      default:
        return { validator: change.validator }
    }
  }

  async #rotation(name: string | undefined, oldKey: NamedKey['key']): Promise<unknown> {
    const { keys, openKey, genesis } = this.#needs
    if (name !== undefined && keys.named(name) === undefined && openKey !== undefined)
      keys.add({ name, key: await openKey(name) })
    const newKey = name === undefined ? keys.all.at(-1) : keys.named(name)
    if (newKey === undefined || newKey.key === oldKey)
      throw new BlyanError('VALIDATOR_NO_KEY', { detail: ' that could take the place of the old one' })
    return rotationPayload({
      genesisDigest: genesis.digest,
      oldKey: oldKey.publicKey,
      newKey: newKey.key,
      // A node that was given another network identity tells so with its next key.
      peerId: this.#peerIdIfNew(oldKey)
    })
  }

  #peerIdIfNew(oldKey: NamedKey['key']): string | null {
    const { chains, genesis, peerId } = this.#needs
    const key = publicKeyToText(oldKey.publicKey)
    const member = currentSet(chains.state, genesis).members.find(one => publicKeyToText(one.publicKey) === key)
    return member === undefined || member.peerId === peerId ? null : peerId
  }

  /** The key of this set signs, and before it is in the set the newest one asks. */
  #signerOf({ change }: ValidatorChange): NamedKey {
    const { keys, chains, genesis } = this.#needs
    const members = new Set(currentSet(chains.state, genesis).members.map(one => publicKeyToText(one.publicKey)))
    const member = keys.all.find(({ key }) => members.has(publicKeyToText(key.publicKey)))
    const found = member ?? (change === 'join' || change === 'leave' ? keys.all.at(-1) : undefined)
    if (found === undefined)
      throw new BlyanError('VALIDATOR_NO_KEY', { detail: keys.all.length === 0 ? '' : ' in the set of this epoch' })
    return found
  }

  view(): ValidatorsView {
    const { chains, genesis, keys, account } = this.#needs
    const { state } = chains
    const { epoch, sinceMs, closesAt } = readEpoch(state, genesis)
    const { members } = currentSet(state, genesis)
    const changes = pendingChanges(state)
    const names = new Map(members.map(member => [publicKeyToText(member.publicKey), member.name]))
    const namesOf = (approvers: readonly string[]): string[] =>
      approvers.map(key => names.get(key)).filter(name => name !== undefined)
    const has = (kind: string, key: string): boolean => changes.some(one => one.kind === kind && one.key === key)
    const totalWeight = members.reduce((sum, member) => sum + member.weight, 0)
    return {
      epoch,
      since: new Date(sinceMs).toISOString(),
      closesAt,
      quorumWeight: Math.floor((2 * totalWeight) / 3) + 1,
      members: members.map(({ publicKey, ...member }): ValidatorView => {
        const key = publicKeyToText(publicKey)
        const rotation = changes.find(change => change.kind === 'rotate' && change.key === key)
        return {
          ...member,
          key,
          leaves: has('leave', key) || has('remove', key),
          newKey: rotation?.kind === 'rotate' ? rotation.newKey : null,
          removal: namesOf(readApprovals(state, 'remove', key))
        }
      }),
      candidates: candidateKeys(state).map(key => ({
        ...readCandidate(state, key)!,
        key,
        approvals: namesOf(readApprovals(state, 'join', key)),
        isApproved: has('join', key)
      })),
      next: isSetChanging(state) ? setAfter(state, genesis, changes).map(member => member.name) : null,
      own: keys.all.map(({ name, key }) => {
        const text = publicKeyToText(key.publicKey)
        return { name, key: text, isMember: names.has(text) }
      }),
      operators: operatorsView({ state, genesis, account }),
      stakeRules: stakeRulesView({ state, genesis, account })
    }
  }

  async *offences(limit: number): AsyncIterable<OffenceView> {
    const { chains, genesis } = this.#needs
    const names = new Map(
      currentSet(chains.state, genesis).members.map(member => [publicKeyToText(member.publicKey), member.name])
    )
    for await (const [entry, value] of chains.stateEntries(offencePrefix, limit)) {
      const [epoch, key] = entry.slice(offencePrefix.length).split('/') as [string, string]
      const { round, first, second, reporter, timestampMs } = value as Offence
      yield {
        epoch: Number(epoch),
        key,
        name: names.get(key) ?? null,
        round,
        first: bytesToHex(first),
        second: bytesToHex(second),
        reporter,
        time: new Date(timestampMs).toISOString()
      }
    }
  }
}
