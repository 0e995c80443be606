import type { PeerProgress } from './core/peer-table.ts'
import type { QuorumPeers } from './peers.ts'
import { encodeProgress } from './wire.ts'

const newsEveryMs = 1000
const quietEveryMs = 300_000

/** Tells peers how far we are: soon when there is news, seldom when there is none. */
export class ProgressTeller {
  readonly #peers: QuorumPeers
  #toldAtMs = 0
  #told = ''

  constructor(peers: QuorumPeers) {
    this.#peers = peers
  }

  tell(progress: PeerProgress): void {
    const nowMs = performance.now()
    const news = `${progress.epoch} ${progress.certifiedCommitIndex} ${progress.snapshotCommitIndex}`
    this.#peers.pushToQuiet(() => encodeProgress(progress))
    if (nowMs - this.#toldAtMs < (news === this.#told ? quietEveryMs : newsEveryMs)) return
    this.#toldAtMs = nowMs
    this.#told = news
    this.#peers.pushToAll(encodeProgress(progress))
    this.#peers.chooseRelay()
  }
}
