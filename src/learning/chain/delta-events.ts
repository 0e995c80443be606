import type { EventHandler, Genesis } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { deltaBytesMaxOf } from './assignment.ts'
import { requireLearner, requireLineage, requireRound, requireWork } from './checks.ts'
import { learningHandler } from './handler.ts'
import { commitmentOf, hexOf } from './hashes.ts'
import { readCommit, writeCommit, writeLearner } from './learner-records.ts'
import { isAwaited } from './learners.ts'
import { lagMax } from './limits.ts'
import { commitSchema, revealSchema } from './payloads.ts'
import { changeRound } from './round-records.ts'
import { advance } from './rounds.ts'
import { spendQuota } from './trust.ts'

export function deltaHandlers(genesis: Genesis): EventHandler[] {
  return [commitHandler(genesis), revealHandler(genesis)]
}

function commitHandler(genesis: Genesis): EventHandler {
  return learningHandler({
    type: 'delta-commit',
    purpose: 'a learner commits to a delta of this round, before anybody can see what it is tried on',
    genesis,
    schema: commitSchema,
    payloadBytesMax: 512,
    apply: (event, payload) => {
      const { state, author, nowMs } = event
      const { model, round: number, baseRound, commitment, tokens, nonce } = payload
      const round = requireRound(event, payload, ['training'])
      const learner = requireLearner(state, model, author)
      if (learner.lastCommitRound === number) throw new BlyanError('DELTA_TWICE', { account: author, round: number })
      const oldest = Math.max(1, number - lagMax)
      if (baseRound < oldest || baseRound > number)
        throw new BlyanError('DELTA_TOO_OLD', { baseRound, round: number, oldest })
      requireWork(event, { account: author, model, round: number, commitment }, nonce)
      spendQuota(state, author, nowMs)
      const { commits: place, awaited } = round
      const { region } = learner
      writeCommit(state, model, place, {
        account: author,
        commitment,
        baseRound,
        tokens,
        atMs: nowMs,
        region,
        reveal: null
      })
      writeLearner(state, { ...learner, lastCommitRound: number, commitPlace: place, activeAtMs: nowMs })
      const left = isAwaited(learner, round) ? awaited - 1 : awaited
      changeRound(state, model, () => ({ commits: place + 1, awaited: left }))
      advance(event, model)
    }
  })
}

function revealHandler(genesis: Genesis): EventHandler {
  return learningHandler({
    type: 'delta-reveal',
    purpose: 'a learner shows the delta that it committed to, and what it was trained on',
    genesis,
    schema: revealSchema,
    payloadBytesMax: 8192,
    apply: (event, payload) => {
      const { state, author } = event
      const { model, round: number, delta, salt, sizeBytes, lineage } = payload
      const round = requireRound(event, payload, ['revealing'])
      const learner = requireLearner(state, model, author)
      if (learner.lastCommitRound !== number)
        throw new BlyanError('DELTA_NOT_COMMITTED', { account: author, round: number })
      const commit = readCommit(state, model, learner.commitPlace)
      if (commit.reveal !== null) throw new BlyanError('DELTA_TWICE', { account: author, round: number })
      if (commitmentOf({ delta, salt, account: author }) !== commit.commitment)
        throw new BlyanError('DELTA_COMMITMENT_WRONG', { account: author, round: number })
      const limitBytes = deltaBytesMaxOf(state, genesis, model, author)
      if (sizeBytes > limitBytes) throw new BlyanError('DELTA_TOO_LARGE', { sizeBytes, limitBytes })
      requireLineage(state, lineage)
      writeCommit(state, model, learner.commitPlace, { ...commit, reveal: { delta, sizeBytes, lineage } })
      changeRound(state, model, ({ reveals, salts }) => ({
        reveals: reveals + 1,
        salts: hexOf(salts, round.seed, salt)
      }))
      advance(event, model)
    }
  })
}
