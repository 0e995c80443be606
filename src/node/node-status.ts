import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { publicKeyToText } from '../codec/index.ts'
import { faultsTolerated, promiseOf } from '../consensus/index.ts'
import { bondedStakeOf } from '../ledger/index.ts'
import type { DivergenceStatus, NodeStatus, TransitionLine } from './blyan-node.ts'
import { freeBytesOf } from './data-folder.ts'
import type { Glance, NodeGlancer } from './node-glance.ts'
import type { NodeParts } from './node-parts.ts'
import { mayDegrade } from './quorum-health.ts'
import { checkpointView } from './views.ts'

const diskMeasureEveryMs = 30_000
const tipsShownMax = 64

export type StatusNeeds = {
  readonly parts: NodeParts
  readonly glancer: NodeGlancer
  readonly transitions: () => readonly TransitionLine[]
}

/** What people and scripts are told of a running node; it measures only what cannot be asked of a part. */
export class StatusReader {
  readonly #parts: NodeParts
  readonly #glancer: NodeGlancer
  readonly #transitions: () => readonly TransitionLine[]
  readonly #startedAt = new Date().toISOString()
  #usedBytes = 0
  #usedMeasuredAtMs = Number.NEGATIVE_INFINITY

  constructor({ parts, glancer, transitions }: StatusNeeds) {
    this.#parts = parts
    this.#glancer = glancer
    this.#transitions = transitions
  }

  async read(): Promise<NodeStatus> {
    const { input, genesis, network, chains, events, experts } = this.#parts
    const last = await chains.checkpoint(chains.certifiedSequence)
    const expertsStatus = await experts.status()
    // After the last wait: everything that follows is of one moment.
    const glance = this.#glancer.look()
    const { committee, view } = glance
    const signers = last === undefined ? undefined : chains.committeeOf(last.checkpoint.epoch)
    const shown = last === undefined ? undefined : checkpointView(last, signers ?? committee)
    const heads = { A: chains.head('A'), C: chains.head('C'), D: chains.head('D') }
    const head = (chain: 'A' | 'C' | 'D') => ({
      height: heads[chain].height,
      head: heads[chain].head?.toString() ?? null
    })
    const account = publicKeyToText(input.keys.account.publicKey)
    const final = this.#finalCount(glance, last?.checkpoint)
    return {
      schema: 'blyan.status/1',
      version: input.version,
      network: genesis.file.network,
      genesis: genesis.cid,
      nodeId: network.peerId,
      roles: [...input.config.node.roles],
      state: glance.state,
      ready: glance.notReady.length === 0,
      reasons: [...glance.notReady, ...glance.degraded],
      quorum: {
        validators: committee.validators.length,
        connected: view.connectedValidators,
        needed: committee.quorumWeight,
        faultsTolerated: faultsTolerated(committee),
        epoch: committee.epoch,
        round: view.round,
        finalRound: view.finalRound,
        commits: view.commits,
        promise: promiseOf(committee),
        mode: glance.mode,
        orderingNeeded: committee.orderingWeight,
        connectedWeight: glance.connectedWeight,
        missing: glance.missing,
        members: glance.members,
        origins: glance.origins
      },
      events: { pending: events.pendingCount, final, degraded: Math.max(0, chains.eventCount - final) },
      checkpoint: {
        sequence: shown?.sequence ?? 0,
        digest: shown?.digest ?? null,
        signers: shown?.signers.length ?? 0,
        stateRoot: shown?.stateRoot ?? null
      },
      chains: {
        A: head('A'),
        B: { blocks: chains.head('B').height, tips: chains.tips(tipsShownMax) },
        C: head('C'),
        D: head('D')
      },
      peers: network.peers().length,
      stake: this.#stakeOf(account),
      disk: { usedBytes: await this.#measureUsedBytes(), freeBytes: await freeBytesOf(input.dataFolder.paths.root) },
      device: experts.host.device,
      experts: expertsStatus,
      sync: glance.sync,
      genesisPact: network.agreement(),
      alarms: glance.alarms,
      divergence: this.#divergence(glance),
      recovery: glance.recoveryWaitsFor === null ? null : { waitsFor: glance.recoveryWaitsFor },
      transitions: this.#transitions(),
      account,
      addresses: network.addresses(),
      dataFolder: input.dataFolder.paths.root,
      startedAt: this.#startedAt,
      nextStep: glance.nextStep
    }
  }

  #stakeOf(account: string): string {
    const { chains, genesis } = this.#parts
    if (genesis.file.economy !== undefined) return bondedStakeOf(chains.state, account).toString()
    return String(chains.stateValue(`stake/${account}`) ?? '0')
  }

  /** Where less than a quorum orders, only what a certified checkpoint covers is final. */
  #finalCount(
    { committee, view }: Glance,
    certified: { readonly eventFirst: number; readonly eventCount: number } | undefined
  ): number {
    const { chains } = this.#parts
    if (!mayDegrade(committee) || chains.certifiedCommitIndex >= view.commits) return chains.eventCount
    return certified === undefined ? 0 : Math.min(chains.eventCount, certified.eventFirst + certified.eventCount - 1)
  }

  #divergence({ view }: Glance): DivergenceStatus | null {
    return view.diverged === undefined ? null : { ...view.diverged, bundle: this.#glancer.bundle }
  }

  async #measureUsedBytes(): Promise<number> {
    if (performance.now() - this.#usedMeasuredAtMs > diskMeasureEveryMs) {
      this.#usedMeasuredAtMs = performance.now()
      this.#usedBytes = await sizeOfFolder(this.#parts.input.dataFolder.paths.root)
    }
    return this.#usedBytes
  }
}

async function sizeOfFolder(folder: string): Promise<number> {
  let sizeBytes = 0
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => [])) {
    if (!entry.isFile()) continue
    // Files come and go while LevelDB works.
    sizeBytes += (await stat(path.join(entry.parentPath, entry.name)).catch(() => ({ size: 0 }))).size
  }
  return sizeBytes
}
