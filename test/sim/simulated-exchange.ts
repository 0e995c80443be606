import { type Committee, WeightCounter } from '../../src/consensus/core/committee.ts'
import type { Witness } from '../../src/consensus/core/recovery.ts'
import type { Effect } from '../../src/consensus/core/replica-types.ts'
import type { CertifiedCheckpoint } from '../../src/consensus/core/votes.ts'
import type { Vertex } from '../../src/consensus/index.ts'
import { checkpointMessage } from './keyring.ts'
import type { Snapshot } from './simulated-disk.ts'
import { type Checkpoint, digestOfCheckpoint } from './simulated-ledger.ts'
import type { SimulatedNode } from './simulated-node.ts'
import type { World } from './world.ts'

export type CommitsAnswer = {
  readonly commits: readonly Uint8Array[]
  readonly checkpoint: Checkpoint
  readonly certificate: CertifiedCheckpoint
}
type Of<Kind extends Effect['kind']> = Extract<Effect, { kind: Kind }>

const fruitlessPauseMs = 250
const snapshotWaitMs = 1500

/** Both sides of asking: the same checks and answers as src/consensus/catch-up.ts. */
export class SimulatedExchange {
  readonly #node: SimulatedNode
  readonly #world: World

  constructor(node: SimulatedNode, world: World) {
    this.#node = node
    this.#world = world
  }

  fetchVertices({ peer, digests, aboveRound }: Of<'fetchVertices'>): void {
    const { life, index } = this.#node
    this.#world.trace.happened('asks for vertices', index, digests.length, () => {
      const names = digests.map(digest => digest.slice(0, 8)).join(' ')
      return `of node ${peer} above round ${aboveRound}: ${names}`
    })
    this.#world.network.request<readonly Vertex[]>({
      from: index,
      to: Number(peer),
      timeoutMs: this.#world.parameters.fetchTimeoutMs,
      serve: server => {
        const answer = serveVertices(server, digests, aboveRound, this.#world.parameters.refsPerFetchMax)
        return server.liar === undefined ? { answer, delayMs: 0 } : server.liar.answerVertices(answer)
      },
      done: answer => {
        const node = this.#node
        if (node.life !== life) return
        const { replica, ledger } = node
        const found = (answer ?? [])
          .slice(0, 2 * this.#world.parameters.refsPerFetchMax)
          .filter(vertex => vertex.header.round > replica!.gcRound && replica!.vertex(vertex.digest) === undefined)
          .filter(vertex => this.#world.verdicts.isSound(vertex, ledger.epoch.committee))
          .sort((a, b) => a.header.round - b.header.round)
        this.#world.trace.happened('got vertices', index, found.length, () => {
          const names = found.map(({ header, digest }) => `${header.round}/${header.author} ${digest.slice(0, 8)}`)
          return `of node ${peer}, ${answer === undefined ? 'no answer' : answer.length}: ${names.join(', ')}`
        })
        replica!.receive(peer, found)
        replica!.fetchEnded(peer, digests)
      }
    })
  }

  fetchCommits({ peer, fromIndex }: Of<'fetchCommits'>): void {
    const node = this.#node
    const { life, replica } = node
    this.#world.trace.happened('asks for commits', node.index, fromIndex, () => `of node ${peer} from ${fromIndex}`)
    this.#world.network.request<CommitsAnswer>({
      from: node.index,
      to: Number(peer),
      timeoutMs: this.#world.parameters.fetchTimeoutMs,
      serve: server => {
        const answer = serveCommits(server, fromIndex, this.#world.parameters.commitsPerSyncMax)
        return server.liar === undefined ? { answer, delayMs: 0 } : server.liar.answerCommits(answer)
      },
      done: answer => {
        if (node.life !== life || node.replica !== replica) return
        const { committee } = node.ledger.epoch
        const weight =
          answer === undefined || answer.checkpoint.epoch !== committee.epoch
            ? undefined
            : this.#weightOf(answer.certificate, answer.checkpoint, committee)
        if (answer === undefined || weight?.isOrderingQuorum !== true)
          return node.later(fruitlessPauseMs, () => {
            if (node.replica === replica) replica!.commitsReceived(undefined)
          })
        const { commits, certificate, checkpoint } = answer
        const isOrderOnly = !weight.isQuorum
        if (!isOrderOnly) node.noteCertificate(certificate, checkpoint)
        try {
          const fault = replica!.commitsReceived({ commits, certificate: { ...checkpoint, isOrderOnly } })
          this.#world.trace.happened('got commits', node.index, commits.length, () => {
            const { sequence, commitIndex } = checkpoint
            return `of node ${peer}: ${commits.length} up to ${commitIndex}, checkpoint ${sequence}: ${fault ?? 'taken'}`
          })
        } catch {
          replica!.commitsReceived(undefined)
        }
      }
    })
  }

  fetchSnapshot({ peers }: Of<'stateSync'>): void {
    const node = this.#node
    const { life, replica } = node
    this.#world.trace.happened('snapshot wanted', node.index, peers.length)
    const left = [...peers]
    const next = (): void => {
      const peer = left.shift()
      if (peer === undefined) {
        replica!.snapshotFailed()
        return
      }
      this.#world.network.request<Snapshot>({
        from: node.index,
        to: Number(peer),
        timeoutMs: snapshotWaitMs,
        serve: server => {
          const answer = server.disk.image.snapshot
          return server.liar === undefined ? { answer, delayMs: 20 } : server.liar.answerSnapshot(answer)
        },
        done: answer => {
          if (node.life !== life || node.replica !== replica) return
          if (answer === undefined || !this.#isInstallable(answer)) return next()
          node.install(answer)
        }
      })
    }
    next()
  }

  askWitness({ peer }: Of<'askWitness'>): void {
    const node = this.#node
    const { life, self, replica } = node
    const { epoch } = node.ledger.epoch.committee
    if (self === undefined) return
    this.#world.network.request<Witness & { epoch: number }>({
      from: node.index,
      to: Number(peer),
      timeoutMs: this.#world.parameters.fetchTimeoutMs,
      serve: server => {
        const committee = server.ledger.epoch.committee
        const isKnown = epoch === committee.epoch
        const answer = {
          epoch: committee.epoch,
          seenRound: isKnown ? server.replica!.highestRoundOf(self) : 0,
          ownRound: isKnown && server.signer.epoch === epoch ? server.signer.round : 0
        }
        return server.liar === undefined ? { answer, delayMs: 0 } : server.liar.answerWitness(answer)
      },
      done: answer => {
        if (node.life !== life || node.replica !== replica || answer?.epoch !== epoch) return
        replica!.witnessReceived(peer, answer)
      }
    })
  }

  /** The chain of sets down to genesis is proven by certificates in the real thing; here every boundary was agreed. */
  #isInstallable(snapshot: Snapshot): boolean {
    const { ledger, checkpoint, certificate, isForged } = snapshot
    const committee = ledger.epochs[checkpoint.epoch]?.committee
    const isHigher = checkpoint.commitIndex > (this.#node.ledger.lastCommit?.index ?? 0)
    if (isForged || !isHigher || committee === undefined) return false
    return this.#weightOf(certificate, checkpoint, committee).isQuorum
  }

  /** Of the true signatures under a checkpoint; none when it is not the one that was signed. */
  #weightOf(certificate: CertifiedCheckpoint, checkpoint: Checkpoint, committee: Committee): WeightCounter {
    const { digest, ...fields } = checkpoint
    const weight = new WeightCounter(committee)
    if (digest !== certificate.digest || digestOfCheckpoint(fields) !== digest) return weight
    for (const { author, signature } of certificate.votes) {
      const validator = committee.validators[author]
      if (validator !== undefined && this.#world.keyring.verify(validator.name, checkpointMessage(digest), signature))
        weight.add(author)
    }
    return weight
  }
}

function serveVertices(
  server: SimulatedNode,
  digests: readonly string[],
  aboveRound: number,
  countMax: number
): readonly Vertex[] {
  const near = server.replica!.ancestors(digests, aboveRound, countMax)
  const inMemory = new Set(near.map(vertex => vertex.digest))
  const stored = digests
    .filter(digest => !inMemory.has(digest))
    .map(digest => server.disk.image.vertices.get(digest))
    .filter(vertex => vertex !== undefined)
  return [...near, ...stored]
}

function serveCommits(server: SimulatedNode, fromIndex: number, countMax: number): CommitsAnswer | undefined {
  const { image } = server.disk
  const certified = [...image.certificates.values(), ...image.orderCertificates.values()]
    .map(({ certificate, checkpoint }) => ({
      certificate,
      checkpoint: checkpoint ?? image.checkpoints.get(certificate.sequence)
    }))
    .filter(({ checkpoint }) => checkpoint !== undefined && checkpoint.commitIndex >= fromIndex)
    .filter(({ checkpoint }) => checkpoint!.commitIndex - fromIndex < countMax)
    .sort((a, b) => a.certificate.sequence - b.certificate.sequence)
    .filter(({ checkpoint }, _, [first]) => checkpoint!.epoch === first!.checkpoint!.epoch)
    .at(-1)
  if (certified === undefined) return undefined
  const commits: Uint8Array[] = []
  for (let index = fromIndex; index <= certified.checkpoint!.commitIndex; index++) {
    const executed = image.commit(index)
    if (executed === undefined) return undefined
    commits.push(executed.bytes)
  }
  return { commits, checkpoint: certified.checkpoint!, certificate: certified.certificate }
}
