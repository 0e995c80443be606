import { z } from 'zod'
import type { EventHandler, Genesis } from '../dag/index.ts'
import { BlyanError } from '../errors/index.ts'
import { accountText, ledgerHandler, numberOf, requireMemberOperator } from '../ledger/index.ts'
import { countHealth, settlesAtMs } from './health.ts'
import { openLot } from './lots.ts'
import { healths, type Issue, issueCodes, observationOf, writeObservation } from './observations.ts'
import { subjectsOf } from './responsibilities.ts'

const responseMsMax = 600_000
const digestText = z.string().regex(/^[0-9a-f]{64}$/)

const observationSchema = z.strictObject({
  subject: accountText,
  health: z.enum(healths),
  responseMs: z.int().min(0).max(responseMsMax).nullable(),
  issues: z
    .array(z.enum(issueCodes))
    .max(issueCodes.length)
    .refine(issues => new Set<Issue>(issues).size === issues.length, 'one issue twice'),
  /** SHA-256 of the lot that the next observation of this validator opens. */
  lot: digestText,
  /** The lot laid down with the one before; empty for the first. */
  opens: z.union([digestText, z.literal('')])
})

export function observationHandler(genesis: Genesis): EventHandler {
  return ledgerHandler({
    type: 'health-observation',
    purpose: 'A validator says how healthy the node of the owner or of a holder is',
    genesis,
    schema: observationSchema,
    payloadBytesMax: 1024,
    isFree: true,
    apply: ({ state, author, timestampMs }, { subject, health, responseMs, issues, lot, opens }) => {
      requireMemberOperator(state, genesis, author)
      if (subject === author) throw new BlyanError('OBSERVATION_OF_SELF', { subject })
      if (!subjectsOf(state, genesis).includes(subject))
        throw new BlyanError('OBSERVATION_SUBJECT_UNKNOWN', { subject })
      const last = observationOf(state, subject, author)
      const elapsedMs = timestampMs - (last?.atMs ?? Number.NEGATIVE_INFINITY)
      // The same again is no news, and nobody pays for it, unless the last gets old or something waits for a commit.
      const neededMs =
        last?.health === health && settlesAtMs(state, genesis, subject) === null
          ? Math.floor(numberOf(state, genesis, 'observationMs') / 4)
          : numberOf(state, genesis, 'observationGapMs')
      if (elapsedMs < neededMs) throw new BlyanError('OBSERVATION_TOO_SOON', { subject, elapsedMs, neededMs })
      openLot(state, author, { opens, lot })
      writeObservation(state, subject, author, { health, responseMs, issues, atMs: timestampMs })
      countHealth({ state, genesis, nowMs: timestampMs }, subject)
    }
  })
}
