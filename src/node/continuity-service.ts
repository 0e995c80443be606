import { bytesToHex, publicKeyToText, type SigningKey, sha256 } from '../codec/index.ts'
import type { Quorum } from '../consensus/index.ts'
import { type Chains, checkpointDigest, type Genesis, type HandlerRegistry } from '../dag/index.ts'
import { describeError } from '../errors/index.ts'
import {
  type Concern,
  dutyDueMs,
  type Health,
  healthLimits,
  heldBy,
  isDutyLate,
  judgedHealth,
  judgeSigns,
  lotOf,
  observationOf,
  ownerOf,
  peerIdOf,
  type Responsibility,
  recordOf,
  responsibilities,
  type Signs,
  settlesAtMs,
  subjectsOf
} from '../guardian/index.ts'
import { balanceOf, memberOperators, numberOf, readGifted, systemAccounts } from '../ledger/index.ts'
import type { Network } from '../net/index.ts'
import type { EventService } from './event-service.ts'
import { LifeSigns, type Watched } from './life-signs.ts'
import type { Logger } from './logging.ts'
import { registryNodes } from './registry-nodes.ts'

export type ContinuityServiceNeeds = {
  readonly genesis: Genesis
  readonly handlers: HandlerRegistry
  readonly chains: Pick<Chains, 'state' | 'lastCheckpoint' | 'checkpoint'>
  readonly events: Pick<EventService, 'submit'>
  readonly quorum: Pick<Quorum, 'view'>
  readonly network: Pick<Network, 'peerId' | 'peers' | 'ping' | 'addresses' | 'knownAddresses' | 'learn'>
  readonly account: SigningKey
  /** What this node has of the chains is what the network has: an old state says nothing of who is there now. */
  readonly isCaughtUp: () => boolean
  readonly logger: Pick<Logger, 'warn' | 'info' | 'debug'>
}

/** Watches the owner's node and the holders of responsibilities, says what it finds, and does the duties of this node. */
export interface ContinuityService {
  start(): void
  stop(): void
}

export function createContinuityService(needs: ContinuityServiceNeeds): ContinuityService {
  return new NodeContinuityService(needs)
}

const lookEveryMs = 1000
/** Longer without a look: this machine slept, and everybody else seems silent. */
const pauseMs = 10_000
/** An event of ours is on its way for at most this long before it is made again. */
const attemptMs = 5000
/** Clocks differ: a duty is done a little after it is due. */
const dutyDelayMs = 500
const certifiedLookBack = 16
/** How much later each validator than the one before asks for a commit. */
const nudgeMs = 300

class NodeContinuityService implements ContinuityService {
  readonly #needs: ContinuityServiceNeeds
  readonly #account: string
  readonly #signs: LifeSigns
  readonly #attempts = new Map<string, number>()
  /** Of a subject: what was found last, and since when; one look alone decides nothing. */
  readonly #found = new Map<string, { health: Health; looks: number }>()
  readonly #holders = new Map<Responsibility, string>()
  #registryAtMs = 0
  #timer: NodeJS.Timeout | undefined

  constructor(needs: ContinuityServiceNeeds) {
    this.#needs = needs
    this.#account = publicKeyToText(needs.account.publicKey)
    this.#signs = new LifeSigns({
      network: needs.network,
      view: () => needs.quorum.view(),
      // Above the heartbeat of the quorum, below what makes a node degraded.
      askAfterMs: () => (numberOf(needs.chains.state, needs.genesis, 'healthDegradedAfterMs') * 4) / 5
    })
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), lookEveryMs)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    try {
      this.#tellHolders()
      this.#learnAddresses()
      if (!this.#needs.isCaughtUp()) return
      this.#observe()
      this.#doDuties()
    } catch (error) {
      this.#needs.logger.warn({ reason: String(error) }, 'continuity: a look failed')
    }
  }

  #observe(): void {
    const { genesis, chains } = this.#needs
    const { state } = chains
    const members = memberOperators(state, genesis)
    if (!members.some(({ operator }) => operator === this.#account)) return
    const places = new Map(members.map(({ operator, place }) => [operator, place]))
    const watched = subjectsOf(state, genesis)
      .filter(subject => subject !== this.#account)
      .map(subject => this.#watchedOf(subject, places.get(subject)))
    const limits = healthLimits(state, genesis)
    for (const subject of this.#found.keys())
      if (!watched.some(({ account }) => account === subject)) this.#found.delete(subject)
    for (const [subject, signs] of this.#signs.look(watched, pauseMs)) {
      const { health, issues } = judgeSigns(signs, limits)
      const before = this.#found.get(subject)
      const looks = before?.health === health ? before.looks + 1 : 1
      this.#found.set(subject, { health, looks })
      if (looks >= 2 && this.#isNews(subject, health)) this.#say(subject, { health, issues, signs })
    }
  }

  #watchedOf(subject: string, place: number | undefined): Watched {
    const { genesis, chains } = this.#needs
    const { state } = chains
    const records = responsibilities.map(name => recordOf(state, name)).filter(record => record?.holder === subject)
    const traces = [readGifted(state, subject)?.heartbeatMs ?? 0, ...records.map(record => record!.atMs)].join(' ')
    const isLate = isDutyLate(state, genesis, subject, Date.now())
    return { account: subject, peerId: peerIdOf(state, subject), place, traces, isDutyLate: isLate }
  }

  /** Whether the others should know: it differs from what was said last, or that gets old. All renew at the same time. */
  #isNews(subject: string, health: Health): boolean {
    if (health === 'unknown') return false
    const { genesis, chains, quorum } = this.#needs
    const last = observationOf(chains.state, subject, this.#account)
    if (last?.health !== health) return true
    const settleMs = settlesAtMs(chains.state, genesis, subject)
    // One after the other, until a commit brings it: in a quiet network that could take half a minute.
    if (settleMs !== null) {
      const turnMs = nudgeMs * (1 + Math.max(0, quorum.view().self ?? 0))
      return Date.now() > Math.max(settleMs, last.atMs + numberOf(chains.state, genesis, 'observationGapMs')) + turnMs
    }
    const halfMs = numberOf(chains.state, genesis, 'observationMs') / 2
    return (
      Math.floor(Date.now() / halfMs) > Math.floor(last.atMs / halfMs) &&
      Date.now() - last.atMs > halfMs / 2 + lookEveryMs
    )
  }

  #say(
    subject: string,
    found: { readonly health: Health; readonly issues: readonly string[]; readonly signs: Signs }
  ): void {
    const laid = lotOf(this.#needs.chains.state, this.#account)?.number ?? 0
    const { health, issues, signs } = found
    const payload = {
      subject,
      health,
      responseMs: signs.responseMs,
      issues: [...issues],
      lot: bytesToHex(sha256(this.#secretOf(laid + 1))),
      opens: laid === 0 ? '' : bytesToHex(this.#secretOf(laid))
    }
    // One at a time: the next has to open the lot that this one lays down.
    if (this.#submit('health-observation', payload, 'observation'))
      this.#needs.logger.info({ subject, health, issues }, 'health observed')
  }

  /** Made from the account key, so that nothing has to be kept and nobody else knows it. */
  #secretOf(lot: number): Uint8Array {
    const { account, genesis } = this.#needs
    return sha256(account.sign(Buffer.from(`blyan lot ${genesis.cid} ${lot}`)))
  }

  #doDuties(): void {
    const { genesis, chains } = this.#needs
    for (const name of heldBy(chains.state, this.#account))
      if (Date.now() >= dutyDueMs(chains.state, genesis, name) + dutyDelayMs) void this.#do(name)
  }

  async #do(name: Responsibility): Promise<void> {
    if (name === 'core') this.#submit('core-record', { concerns: this.#concerns() }, name)
    else if (name === 'registry') this.#submit('registry-record', { nodes: registryNodes(this.#needs.network) }, name)
    else {
      const checkpoint = await this.#newestCertified()
      if (checkpoint !== undefined) this.#submit('notary-record', checkpoint, name)
    }
  }

  #concerns(): Concern[] {
    const { genesis, chains, quorum } = this.#needs
    const { state } = chains
    const { members, connectedValidators } = quorum.view()
    const found: Concern[] = []
    if (judgedHealth(state, genesis, ownerOf(genesis)).health === 'failed') found.push('owner-away')
    if (members.length > 1 && connectedValidators <= Math.floor((2 * members.length) / 3) + 1)
      found.push('few-validators')
    if (balanceOf(state, systemAccounts.treasury, 'BLY') === 0n) found.push('treasury-empty')
    if (balanceOf(state, systemAccounts.rewardPool, 'BLY') === 0n) found.push('rewards-empty')
    return found
  }

  async #newestCertified(): Promise<{ sequence: number; digest: string } | undefined> {
    const { chains } = this.#needs
    const newest = chains.lastCheckpoint?.sequence ?? 0
    for (let sequence = newest; sequence > Math.max(0, newest - certifiedLookBack); sequence--) {
      const found = await chains.checkpoint(sequence)
      if (found !== undefined && found.votes.length > 0) return { sequence, digest: checkpointDigest(found.bytes) }
    }
    return undefined
  }

  /** Whether it was handed in; not while one of the same kind is on its way. */
  #submit(type: string, json: unknown, kind: string): boolean {
    const { events, handlers, logger } = this.#needs
    const nowMs = performance.now()
    if (nowMs - (this.#attempts.get(kind) ?? Number.NEGATIVE_INFINITY) < attemptMs) return false
    this.#attempts.set(kind, nowMs)
    const payload = handlers.get(type).encodePayload(json)
    events
      .submit({ type, payload }, { wait: true, timeoutMs: attemptMs })
      .catch(error => logger.debug({ type, code: describeError(error).code }, 'continuity: not taken yet'))
      .finally(() => this.#attempts.delete(kind))
    return true
  }

  #tellHolders(): void {
    const { chains, logger } = this.#needs
    for (const name of responsibilities) {
      const holding = chains.state.get(`responsibility/${name}`) as { holder: string; because: string } | undefined
      if (holding === undefined) continue
      const before = this.#holders.get(name)
      this.#holders.set(name, holding.holder)
      if (before !== undefined && before !== holding.holder)
        logger.warn({ responsibility: name, ...holding, before }, 'a responsibility has another holder')
    }
  }

  /** What the registry knows is worth a try: a newcomer finds peers that nobody wrote into its configuration. */
  #learnAddresses(): void {
    const { chains, network } = this.#needs
    const record = recordOf(chains.state, 'registry')
    if (record === undefined || record.atMs === this.#registryAtMs) return
    this.#registryAtMs = record.atMs
    for (const { peerId, addresses } of record.nodes)
      if (peerId !== network.peerId) for (const address of addresses) network.learn(address)
  }
}
