import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { publicKeyToText } from '../codec/index.ts'
import { faultsTolerated, promiseOf } from '../consensus/index.ts'
import type { NodeState, NodeStatus } from './blyan-node.ts'
import { freeBytesOf } from './data-folder.ts'
import type { NodeParts } from './node-parts.ts'
import { checkpointView } from './views.ts'

const diskMeasureEveryMs = 30_000
const tipsShownMax = 64

/** What people and scripts are told of a running node; it measures only what cannot be asked of a part. */
export class StatusReader {
  readonly #parts: NodeParts
  readonly #isStopping: () => boolean
  readonly #startedAt = new Date().toISOString()
  #usedBytes = 0
  #usedMeasuredAtMs = Number.NEGATIVE_INFINITY
  #sync = { atMs: 0, commits: 0, perSecond: 0 }

  constructor(parts: NodeParts, isStopping: () => boolean) {
    this.#parts = parts
    this.#isStopping = isStopping
  }

  async read(): Promise<NodeStatus> {
    const { input, genesis, network, chains, quorum, events, model } = this.#parts
    const view = quorum.view()
    const state = this.#state()
    const committee = genesis.committee
    const last = await chains.checkpoint(chains.certifiedSequence)
    const shown = last === undefined ? undefined : checkpointView(last, committee)
    const heads = { A: chains.head('A'), C: chains.head('C'), D: chains.head('D') }
    const head = (chain: 'A' | 'C' | 'D') => ({
      height: heads[chain].height,
      head: heads[chain].head?.toString() ?? null
    })
    const account = publicKeyToText(input.keys.account.publicKey)
    return {
      schema: 'blyan.status/1',
      version: input.version,
      network: genesis.file.network,
      genesis: genesis.cid,
      nodeId: network.peerId,
      roles: [...input.config.node.roles],
      state,
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
        members: committee.validators.map((validator, author) => ({
          id: publicKeyToText(validator.publicKey),
          name: validator.name,
          origin: validator.origin,
          region: validator.region,
          ...view.members[author]!
        }))
      },
      events: { pending: events.pendingCount, final: chains.eventCount },
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
      stake: String(chains.stateValue(`stake/${account}`) ?? '0'),
      disk: { usedBytes: await this.#measureUsedBytes(), freeBytes: await freeBytesOf(input.dataFolder.paths.root) },
      device: model.device,
      sync: this.#syncRate(view.syncing),
      genesisPact: network.agreement(),
      alarms: this.#alarms(),
      account,
      addresses: network.addresses(),
      dataFolder: input.dataFolder.paths.root,
      startedAt: this.#startedAt,
      nextStep: this.#nextStep(state)
    }
  }

  notReadyReasons(): string[] {
    const { quorum, genesis } = this.#parts
    const view = quorum.view()
    const reasons: string[] = []
    if (this.#isStopping()) reasons.push('stopping')
    if (view.divergence !== undefined) reasons.push(view.divergence)
    if (view.syncing !== undefined)
      reasons.push(`catching up: commit ${view.syncing.commitIndex} of ${view.syncing.targetCommitIndex}`)
    // What counts is who can vote together: a follower needs one of them to hear from.
    const needed = this.#parts.validator === undefined ? 1 : genesis.committee.quorumWeight
    if (view.connectedValidators < needed)
      reasons.push(
        `${view.connectedValidators} of ${genesis.committee.validators.length} validators connected, ${needed} needed`
      )
    return reasons
  }

  #state(): NodeState {
    if (this.#isStopping()) return 'stopping'
    const view = this.#parts.quorum.view()
    if (view.divergence !== undefined) return 'degraded'
    if (view.syncing !== undefined) return 'syncing'
    return this.notReadyReasons().length === 0 ? 'ready' : view.commits === 0 ? 'starting' : 'degraded'
  }

  #alarms(): string[] {
    const alarms: string[] = []
    const { divergence } = this.#parts.quorum.view()
    if (divergence !== undefined) alarms.push(divergence)
    if (this.#parts.network.agreement().alarm) alarms.push('fewer than 75% of the peers asked share our genesis')
    return alarms
  }

  #nextStep(state: NodeState): string | null {
    if (state === 'ready') return null
    const reasons = this.notReadyReasons()
    if (state === 'degraded' && this.#alarms().length > 0)
      return 'run "blyan-node chain verify" and compare this node with others before you trust it'
    if (state === 'syncing') return 'wait: the node is fetching what it missed'
    return reasons.length === 0 ? null : `${reasons[0]}: check network.peers and the other nodes`
  }

  #syncRate(
    syncing: { readonly commitIndex: number; readonly targetCommitIndex: number } | undefined
  ): NodeStatus['sync'] {
    if (syncing === undefined) return null
    const nowMs = performance.now()
    const elapsedMs = nowMs - this.#sync.atMs
    if (elapsedMs > 500)
      this.#sync = {
        atMs: nowMs,
        commits: syncing.commitIndex,
        perSecond: Math.max(0, Math.round(((syncing.commitIndex - this.#sync.commits) * 1000) / elapsedMs))
      }
    return {
      commit: syncing.commitIndex,
      targetCommit: syncing.targetCommitIndex,
      commitsPerSecond: this.#sync.perSecond
    }
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
