import { type Commit, type CommitPoint, commitDigest, decodeCommit } from './commit.ts'
import type { ConsensusParameters } from './parameters.ts'
import type { Vertex } from './vertex.ts'

/** What a peer says of itself; believed only as a reason to ask. */
export type PeerProgress = {
  readonly round: number
  readonly commitIndex: number
  readonly certifiedCommitIndex: number
}

/** Commits from one past ours up to a certified checkpoint. Its signatures were checked before it comes here. */
export type CertifiedCommits = {
  readonly commits: readonly Uint8Array[]
  readonly certificate: {
    readonly sequence: number
    readonly digest: string
    readonly commitIndex: number
    readonly commitDigest: string
  }
}

/** Vertices are fetched for this many commits at a time, which bounds what is held in memory. */
const commitsAtOnce = 8

type Work = {
  readonly commits: readonly Commit[]
  readonly digests: readonly string[]
  readonly certified: { readonly sequence: number; readonly digest: string }
  next: number
}

/**
 * The second gear of catching up: certified commits, then the vertices they name, then apply as they are.
 * Nothing is decided anew, because the vertices that decided may be gone everywhere.
 */
export class CommitSync {
  readonly #parameters: ConsensusParameters
  #work: Work | undefined
  #askedAtMs = Number.NEGATIVE_INFINITY
  #turn = 0

  constructor(parameters: ConsensusParameters) {
    this.#parameters = parameters
  }

  get isActive(): boolean {
    return this.#work !== undefined
  }

  /** A peer to ask for commits above `point`, when we are far behind; undefined when there is nothing to do now. */
  peerToAsk(
    nowMs: number,
    point: CommitPoint,
    ownRound: number,
    peers: ReadonlyMap<string, { readonly progress: PeerProgress }>
  ): string | undefined {
    if (this.#work !== undefined || nowMs - this.#askedAtMs < this.#parameters.fetchTimeoutMs) return undefined
    const ahead: string[] = []
    for (const [peer, { progress }] of peers) if (this.isFarBehind(point, ownRound, progress)) ahead.push(peer)
    if (ahead.length === 0) return undefined
    this.#askedAtMs = nowMs
    return ahead[this.#turn++ % ahead.length]
  }

  isFarBehind(point: CommitPoint, ownRound: number, progress: PeerProgress): boolean {
    return progress.certifiedCommitIndex > point.index && progress.round > ownRound + this.#parameters.syncLagRounds
  }

  /** The answer did not come or was no use: ask somebody else at once. */
  failed(): void {
    this.#askedAtMs = Number.NEGATIVE_INFINITY
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
        reached: { readonly sequence: number; readonly digest: string } | undefined
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
    work.next++
    const finished = work.next === work.commits.length
    if (finished) this.#work = undefined
    return { commit, digest, vertices, reached: finished ? work.certified : undefined }
  }
}
