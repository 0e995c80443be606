import { BlyanError } from '../../errors/index.ts'
import { type BlockView, type CandidateView, dataFolderPaths, type LearningStatus } from '../../node/index.ts'
import { connectToDaemon, type DaemonClient } from '../daemon-client.ts'
import type { LearningTexts } from './learning-texts.ts'

/** What a network came to that learned for a while. */
export type Adoption = {
  readonly learners: readonly LearningStatus[]
  /** Versions of the model that were measured and adopted. */
  readonly rounds: number
  readonly candidates: readonly string[]
  /** Mean over validators, on text that nobody trains on: of the first version's base, and of the last version. */
  readonly heldOut: { readonly beforeNats: number; readonly afterNats: number }
  readonly acceptedDeltas: number
  readonly bytesUp: number
  readonly steps: number
  readonly expertEvents: readonly {
    readonly event: string
    readonly name: string
    readonly block: string
    readonly tensor: string
  }[]
}

/** After so long it is content with one version; before, it wants two. */
const patienceMs = 45_000
const roundsWanted = 2
const givenUpAfterMs = 600_000
const startTimeoutMs = 300_000
const pollEveryMs = 500

/** Has these nodes learn until a quorum has adopted what they made. Throws MAIN_JOB_FAILED, and what learning throws. */
export async function learnUntilAdopted(job: {
  readonly folders: readonly string[]
  readonly answerer: DaemonClient
  readonly texts: LearningTexts
  readonly note: (text: string) => void
}): Promise<Adoption> {
  const daemons = await Promise.all(job.folders.map(folder => connectToDaemon(dataFolderPaths(folder))))
  const call = { method: 'POST', path: '/v0/learning/start', timeoutMs: startTimeoutMs } as const
  await Promise.all(daemons.map(daemon => daemon.json({ ...call, body: { folder: job.texts.folder } })))
  const adopted = await untilAdopted(job)
  const learners = await Promise.all(daemons.map(daemon => daemon.json<LearningStatus>({ path: '/v0/learning' })))
  await Promise.all(
    daemons.map(daemon => daemon.json({ method: 'POST', path: '/v0/learning/stop', timeoutMs: startTimeoutMs }))
  )
  const sum = (of: (learner: NonNullable<LearningStatus['learner']>) => number): number =>
    learners.reduce((total, { learner }) => total + (learner === null ? 0 : of(learner)), 0)
  return {
    learners,
    rounds: adopted.length,
    candidates: adopted.map(({ id }) => id),
    heldOut: { beforeNats: natsOf(adopted[0]!.beforeNano), afterNats: natsOf(adopted.at(-1)!.afterNano) },
    acceptedDeltas: sum(learner => learner.deltas.accepted),
    bytesUp: sum(learner => learner.bytesUp),
    steps: sum(learner => learner.step),
    expertEvents: await expertEventsOf(job.answerer)
  }
}

/** Candidates that were published, oldest first. */
async function untilAdopted({
  answerer,
  note
}: {
  readonly answerer: DaemonClient
  readonly note: (text: string) => void
}): Promise<readonly CandidateView[]> {
  const startedAtMs = performance.now()
  let told = ''
  for (;;) {
    const [{ candidates }, { round }] = await Promise.all([
      answerer.json<{ candidates: readonly CandidateView[] }>({ path: '/v0/learning/candidates' }),
      answerer.json<LearningStatus>({ path: '/v0/learning' })
    ])
    const adopted = candidates.filter(({ status }) => status === 'published').toReversed()
    const elapsedMs = performance.now() - startedAtMs
    if (adopted.length >= (elapsedMs < patienceMs ? roundsWanted : 1)) return adopted
    if (elapsedMs > givenUpAfterMs)
      throw new BlyanError('MAIN_JOB_FAILED', {
        reason: `no version was adopted within ${givenUpAfterMs / 1000} s; ${candidates.length} were measured`
      })
    const now = round === null ? '' : `round ${round.number}: ${round.phase}`
    if (now !== told) note(`  ${now}`)
    told = now
    await new Promise(resolve => setTimeout(resolve, pollEveryMs))
  }
}

/** Every expert that became a block after genesis. */
async function expertEventsOf(daemon: DaemonClient): Promise<Adoption['expertEvents']> {
  const { experts } = await daemon.json<{ experts: readonly { name: string; block: string; tensor: string }[] }>({
    path: '/v0/experts'
  })
  const newest = new Map(experts.map(expert => [expert.block, expert]))
  const found: Adoption['expertEvents'][number][] = []
  for await (const block of daemon.lines<BlockView>({
    path: '/v0/chains/B/blocks',
    query: { from: 0, limit: 10_000 }
  })) {
    const expert = newest.get(block.cid)
    if (block.event !== null && block.block_type === 'expert' && expert !== undefined)
      found.push({ event: block.event, name: expert.name, block: block.cid, tensor: expert.tensor })
  }
  return found
}

function natsOf(nano: number | null): number {
  return (nano ?? 0) / 1e9
}
