import { isAbsolute } from 'node:path'
import { z } from 'zod'
import { importLearningViews } from '../../node/index.ts'
import { identifier, partName } from '../inputs.ts'
import { type Route, route } from '../route.ts'

const partsMax = 256
const stepsMax = 1_000_000
const candidatesMax = 256

const folder = z.string().max(4096).refine(isAbsolute, 'an absolute path')
const model = z.string().min(1).max(64).optional().describe('genesis unless given')
const bytesMax = z
  .int()
  .min(1)
  .max(Number.MAX_SAFE_INTEGER)
  .optional()
  .describe('most bytes of text; 1 GiB unless given')
const pattern = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[\w.:*-]+$/, 'letters, digits, ". _ : - *"')

/** How the network learns, and this node's part in it. */
export const learningRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v0/learning',
    scope: 'read',
    summary: 'How learning goes: the round, this learner, its duties, candidates',
    answer: 'application/json',
    answerDescription:
      '`state`, `failure`, `model`, `round` (`number`, `phase`, `endsInMs`, `learners`, `commits`, `reveals`), `learner` (`corpus`, `step`, `lossNats`, `deltas`, `outcomes`, `bytesUp`, `earnedUnits`, `trust`, `quotaLeft` and more; null where this node does not learn), `duties`, `candidates`',
    handle: async (_input, { node }) => ({ kind: 'json', body: node.learning.status() })
  }),
  route({
    method: 'GET',
    path: '/v0/learning/stream',
    scope: 'read',
    summary: 'The same, again after each change',
    answer: 'application/x-ndjson',
    answerDescription: 'a line as GET /v0/learning answers after each change, until the reader leaves',
    handle: async ({ signal }, { node }) => ({ kind: 'lines', items: node.learning.changes(signal) })
  }),
  route({
    method: 'POST',
    path: '/v0/learning/start',
    scope: 'sign',
    summary: "Learn from a folder on this machine; commits are signed by this node's account",
    body: z.strictObject({
      folder,
      model,
      parts: z
        .array(pattern)
        .min(1)
        .max(partsMax)
        .optional()
        .describe('what is trained, by name or pattern; all unless given'),
      codec: z.string().max(32).optional().describe('as the node is set unless given'),
      bytesMax
    }),
    answer: 'application/json',
    answerDescription: 'as GET /v0/learning answers, once the folder was read and this node has joined',
    handle: async ({ body }, { node }) => {
      await node.learning.start(body)
      return { kind: 'json', body: node.learning.status() }
    }
  }),
  route({
    method: 'POST',
    path: '/v0/learning/stop',
    scope: 'operate',
    summary: 'Stop learning; what was trained is kept for the next time',
    answer: 'application/json',
    answerDescription: 'as GET /v0/learning answers, once all is on disk',
    handle: async (_input, { node }) => {
      const before = node.learning.status()
      await node.learning.stop()
      return { kind: 'json', body: { ...node.learning.status(), stopped: before.learner } }
    }
  }),
  route({
    method: 'POST',
    path: '/v0/learning/propose',
    scope: 'sign',
    summary: 'Train single experts from a folder on this machine, outside rounds, and propose them as new versions',
    body: z.strictObject({
      folder,
      model,
      parts: z.array(partName).min(1).max(partsMax).describe('experts: `layer0.expert3`'),
      steps: z.int().min(1).max(stepsMax).default(200),
      bytesMax
    }),
    answer: 'application/x-ndjson',
    answerDescription:
      'one line each: `corpus`, then `step` (`step`, `steps`, `lossNats`, `tokensPerSecond`), then `trained` (`beforeNats`, `afterNats`, `parts`), `proposed` (`candidate`, `eventId`), `decided` (`status`, `reason`); leaving before `proposed` stops it',
    handle: async ({ body, signal }, { node }) => ({
      kind: 'lines',
      items: node.learning.propose({ ...body, signal })
    })
  }),
  route({
    method: 'GET',
    path: '/v0/learning/candidates',
    scope: 'read',
    summary: 'New versions that wait for measurement, or were measured',
    query: z.strictObject({
      model: z.string().max(64).default('genesis'),
      limit: z.coerce.number().int().min(1).max(candidatesMax).default(32)
    }),
    answer: 'application/json',
    answerDescription:
      '`candidates`, newest first: `id`, `source`, `round`, `author`, `status`, `reason`, `parts` (`name`, `tensor`, `base`), `measured`, `beforeNano`, `afterNano`',
    handle: async ({ query }, { node }) => ({
      kind: 'json',
      body: { candidates: (await importLearningViews()).candidateViews(node.ledger, query) }
    })
  }),
  route({
    method: 'GET',
    path: '/v0/learning/candidates/:candidate',
    scope: 'read',
    summary: 'One candidate with every measurement of it',
    params: z.strictObject({ candidate: identifier }),
    answer: 'application/json',
    answerDescription:
      'the candidate, its `lineage` (what it was trained on), and `measurements`: `operator`, `verdict`, `reason`, `beforeNano`, `afterNano`, `gainNano`, `errorNano`, `sequences`, `checkpoint`',
    handle: async ({ params }, { node }) => ({
      kind: 'json',
      body: (await importLearningViews()).candidateDetails(node.ledger, params.candidate)
    })
  }),
  route({
    method: 'GET',
    path: '/v0/learning/corpora',
    scope: 'read',
    summary: 'Texts that learners have announced: training shards, held-out shards',
    answer: 'application/json',
    answerDescription:
      '`corpora`: `name`, `account`, `training`, `heldOut`, `trainingBytes`, `heldOutBytes`, `licence`',
    handle: async (_input, { node }) => ({
      kind: 'json',
      body: { corpora: (await importLearningViews()).corpusViews(node.ledger) }
    })
  })
]
