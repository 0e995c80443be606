import { type Commit, type CommitPoint, commitDigest, decodeCommit } from './commit.ts'
import type { ConsensusParameters } from './parameters.ts'
import type { PeerEntry, PeerProgress, PeerTable } from './peer-table.ts'
import type { Vertex } from './vertex.ts'

/** Commits from one past ours up to a certified checkpoint. Its signatures were checked before it comes here. */
export type CertifiedCommits = {
  readonly commits: readonly Uint8Array[]
  readonly certificate: {
    readonly sequence: number
    readonly digest: string
    readonly commitIndex: number
    readonly commitDigest: string
    /** Signed by those who order and by no quorum: it tells the order, and makes nothing final. */
    readonly isOrderOnly?: boolean
  }
}

/** Vertices are fetched for this many commits at a time, which bounds what is held in memory. */
const commitsAtOnce = 8

type Work = {
  readonly commits: readonly Commit[]
  readonly digests: readonly string[]
  readonly certified: { readonly sequence: number; readonly digest: string; readonly isOrderOnly?: boolean }
  next: number
}

/** Commits whose vertices do not come for this long are given up: what was answered may lead nowhere. */
const workPatienceMs = 20_000

export type SyncPlan =
  | { readonly kind: 'commits'; readonly peer: string }
  /** Peers that offer a snapshot far above us. */
  | { readonly kind: 'snapshot'; readonly peers: readonly string[] }

const snapshotPauseMs = 10_000
const newcomerShare = 20
/** A peer that did not answer, or with nothing of use, is asked after the others for this long. */
const restAfterFailureMs = 30_000
/** When nobody is of use, the next is not asked as fast as they answer. */
const fruitlessPauseMs = 250

/**
 * The second gear of catching up: certified commits, then the vertices they name, then apply as they are. Nothing is
 * decided anew, because the vertices that decided may be gone everywhere. Very far behind, or below what others keep, a
 * snapshot takes the place of the commits.
 */
export class CommitSync {
  readonly #parameters: ConsensusParameters
  readonly #epoch: number
  /** Vertices fetched for certified commits, until these are applied. */
  readonly #fetched = new Map<string, Vertex>()
  #work: Work | undefined
  #askedAtMs = Number.NEGATIVE_INFINITY
  #turn = 0
  #lastAsk: { readonly peer: string | undefined; readonly atMs: number } = {
    peer: undefined,
    atMs: Number.NEGATIVE_INFINITY
  }
  /** Bounded by the peers connected within `restAfterFailureMs`, each asked at most once a `fruitlessPauseMs`. */
  readonly #failedAtMs = new Map<string, number>()
  #progress = { mark: '', atMs: 0 }
  #aheadSinceMs: number | undefined
  #isInstalling = false
  #snapshotEndedAtMs = Number.NEGATIVE_INFINITY

  constructor(parameters: ConsensusParameters, epoch: number) {
    this.#parameters = parameters
    this.#epoch = epoch
  }

  /** At work on commits or on a snapshot. */
  get isActive(): boolean {
    return this.#work !== undefined || this.#isInstalling
  }

  /** What to ask for now, when we are far behind; undefined when there is nothing to do. */
  plan(nowMs: number, point: CommitPoint, ownRound: number, peers: PeerTable): SyncPlan | undefined {
    this.#giveUpIfStuck(nowMs)
    if (this.isActive) return undefined
    if (nowMs - this.#askedAtMs < this.#parameters.fetchTimeoutMs) return undefined
    const ahead = [...peers.entries].filter(([, { progress }]) => this.isFarBehind(point, ownRound, progress))
    if (ahead.length === 0) {
      this.#aheadSinceMs = undefined
      return undefined
    }
    this.#aheadSinceMs ??= nowMs
    const snapshot = this.#snapshotPeers(nowMs, point, ahead, peers)
    if (snapshot.length > 0) {
      this.#isInstalling = true
      return { kind: 'snapshot', peers: snapshot }
    }
    // One peer may offer a leap before the others have spoken: a moment's patience can save a long replay.
    const mayLeap = ahead.some(([, { progress }]) => this.#needsLeap(point, progress))
    if (mayLeap && nowMs - this.#aheadSinceMs < this.#parameters.fetchTimeoutMs) return undefined
    const serving = ahead.filter(([, { progress }]) => progress.oldestCommitIndex <= point.index + 1)
    if (serving.length === 0) return undefined
    const peer = this.#choose(nowMs, serving)
    return peer === undefined ? undefined : { kind: 'commits', peer }
  }

  /** Whom to ask for a certificate above `certifiedIndex`, when nothing else is missing. */
  peerToCertify(nowMs: number, certifiedIndex: number, peers: PeerTable): string | undefined {
    if (this.isActive || nowMs - this.#askedAtMs < this.#parameters.fetchTimeoutMs) return undefined
    const serving = [...peers.entries].filter(
      ([, { progress }]) =>
        progress.epoch === this.#epoch &&
        progress.certifiedCommitIndex > certifiedIndex &&
        progress.oldestCommitIndex <= certifiedIndex + 1
    )
    return serving.length === 0 ? undefined : this.#choose(nowMs, serving)
  }

  #giveUpIfStuck(nowMs: number): void {
    const mark = this.#work === undefined ? '' : `${this.#work.digests[this.#work.next]} ${this.#fetched.size}`
    if (mark !== this.#progress.mark) this.#progress = { mark, atMs: nowMs }
    if (this.#work === undefined || nowMs - this.#progress.atMs < workPatienceMs) return
    this.#work = undefined
    this.#fetched.clear()
  }

  #choose(nowMs: number, serving: readonly (readonly [string, PeerEntry])[]): string | undefined {
    for (const [peer, failedAtMs] of this.#failedAtMs)
      if (nowMs - failedAtMs >= restAfterFailureMs) this.#failedAtMs.delete(peer)
    const willing = serving.filter(([peer]) => !this.#failedAtMs.has(peer))
    if (willing.length === 0 && nowMs - this.#lastAsk.atMs < fruitlessPauseMs) return undefined
    const candidates = willing.length > 0 ? willing : serving
    const peer = candidates[this.#turn++ % candidates.length]![0]
    this.#askedAtMs = nowMs
    this.#lastAsk = { peer, atMs: nowMs }
    return peer
  }

  isFarBehind(point: CommitPoint, ownRound: number, progress: PeerProgress): boolean {
    if (progress.epoch > this.#epoch) return progress.certifiedCommitIndex >= point.index
    return progress.certifiedCommitIndex > point.index && progress.round > ownRound + this.#parameters.syncLagRounds
  }

  /** The answer did not come or was no use: ask somebody else at once, and this one after all others for a while. */
  failed(): void {
    this.#askedAtMs = Number.NEGATIVE_INFINITY
    const { peer, atMs } = this.#lastAsk
    if (peer !== undefined) this.#failedAtMs.set(peer, atMs)
  }

  /** A snapshot was not to be had: commits again, and another try after a while. */
  snapshotFailed(nowMs: number): void {
    this.#isInstalling = false
    this.#snapshotEndedAtMs = nowMs
  }

  /** Keeps a vertex that the commits at hand name. */
  offer(vertex: Vertex): void {
    if (this.wants(vertex.digest)) this.#fetched.set(vertex.digest, vertex)
  }

  fetched(digest: string): Vertex | undefined {
    return this.#fetched.get(digest)
  }

  /** Checks the chain of commits against the certificate. Returns the reason when the answer is no use. */
  receive(point: CommitPoint, answer: CertifiedCommits): string | undefined {
    if (this.#work !== undefined) return 'already at work'
    if (answer.commits.length === 0 || answer.commits.length > this.#parameters.commitsPerSyncMax)
      return 'number of commits'
    const commits: Commit[] = []
    const digests: string[] = []
    let previous: { index: number; round: number; digest: string } = point
    for (const bytes of answer.commits) {
      const commit = decodeCommit(bytes)
      if (commit.index <= point.index) continue
      if (commit.index !== previous.index + 1 || commit.previous !== previous.digest || commit.round <= previous.round)
        return 'commits are no chain'
      commits.push(commit)
      digests.push(commitDigest(bytes))
      previous = { index: commit.index, round: commit.round, digest: digests.at(-1)! }
    }
    if (previous.index !== answer.certificate.commitIndex || previous.digest !== answer.certificate.commitDigest)
      return 'not the certified commits'
    this.#work = { commits, digests, certified: answer.certificate, next: 0 }
    this.#askedAtMs = Number.NEGATIVE_INFINITY
    return undefined
  }

  /** Vertices that the commits at hand name and `has` does not. */
  missing(has: (digest: string) => boolean): { round: number; author: number; digest: string }[] {
    const work = this.#work
    if (work === undefined) return []
    return work.commits
      .slice(work.next, work.next + commitsAtOnce)
      .flatMap(commit => commit.vertices.filter(ref => !has(ref.digest)))
  }

  wants(digest: string): boolean {
    return this.#work?.commits.some(commit => commit.vertices.some(ref => ref.digest === digest)) === true
  }

  /** The next commit whose vertices are all here, and with the last one the certified checkpoint that it reaches. */
  takeReady(get: (digest: string) => Vertex | undefined):
    | {
        commit: Commit
        digest: string
        vertices: Vertex[]
        reached: Work['certified'] | undefined
      }
    | undefined {
    const work = this.#work
    if (work === undefined) return undefined
    const commit = work.commits[work.next]!
    const vertices: Vertex[] = []
    for (const ref of commit.vertices) {
      const vertex = get(ref.digest)
      if (vertex === undefined) return undefined
      vertices.push(vertex)
    }
    const digest = work.digests[work.next]!
    for (const vertex of vertices) this.#fetched.delete(vertex.digest)
    work.next++
    const finished = work.next === work.commits.length
    if (finished) this.#work = undefined
    return { commit, digest, vertices, reached: finished ? work.certified : undefined }
  }

  /** Only when more validators than may lie make it necessary: a snapshot costs more than a few commits. */
  #snapshotPeers(
    nowMs: number,
    point: CommitPoint,
    ahead: readonly (readonly [string, PeerEntry])[],
    peers: PeerTable
  ): string[] {
    if (nowMs - this.#snapshotEndedAtMs < snapshotPauseMs) return []
    if (!peers.isSaidByMoreThanFaulty(progress => this.#needsLeap(point, progress))) return []
    return ahead.filter(([, { progress }]) => this.#offersLeap(point, progress)).map(([peer]) => peer)
  }

  #needsLeap(point: CommitPoint, progress: PeerProgress): boolean {
    const isFar = progress.certifiedCommitIndex - point.index > this.#leapCommits(point)
    return this.#offersLeap(point, progress) && (isFar || progress.oldestCommitIndex > point.index + 1)
  }

  /** Whoever has a history loses the part that a snapshot leaps over; who begins has nothing to lose. */
  #leapCommits(point: CommitPoint): number {
    const { stateSyncCommits } = this.#parameters
    return point.index === 0 ? Math.ceil(stateSyncCommits / newcomerShare) : stateSyncCommits
  }

  #offersLeap(point: CommitPoint, progress: PeerProgress): boolean {
    return (
      progress.snapshotCommitIndex > point.index &&
      progress.snapshotCommitIndex <= progress.certifiedCommitIndex &&
      (progress.oldestCommitIndex > point.index + 1 ||
        progress.snapshotCommitIndex - point.index > this.#leapCommits(point) / 2)
    )
  }
}
