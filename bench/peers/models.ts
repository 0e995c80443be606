import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { writeCheckpoint } from '../../test/models/tiny-checkpoint.ts'
import { tinyModel } from '../../test/models/tiny-model.ts'
import { importedModel, withImportedModel } from '../experts/imported-model.ts'
import { type Options, plain, type Result, rate } from '../report.ts'
import { withTemporaryFolder } from '../temporary-folder.ts'
import { findProgram } from './programs.ts'

const install = 'needs Python 3 with torch, transformers and hivemind; BENCH_PYTHON3 names another than that in PATH'
const model = tinyModel('olmoe', {
  vocabulary: 1024,
  width: 512,
  layers: 4,
  heads: 8,
  keyValueHeads: 8,
  headWidth: 64,
  experts: 8,
  expertsPerToken: 2,
  expertWidth: 512,
  contextTokens: 512,
  clip: null
})
const threads = 1
const promptTokens = 32
const newTokens = 48
const expertCalls = 200

/** The same folder, tokens and number of threads: Hugging Face transformers and ours; and one expert behind a hivemind server. */
export function modelPeersSuite(options: Options): Promise<Result[]> {
  return withTemporaryFolder(async root => {
    const folder = join(root, 'olmoe')
    options.note('writing an OLMoE of 29 million parameters')
    await writeCheckpoint(folder, model)
    return [...(await beside(folder, options)), ...(await hivemind(options))]
  })
}

async function beside(folder: string, { quick, note }: Options): Promise<Result[]> {
  const runs = quick ? 3 : 7
  const results: Result[] = []
  for (const batch of [1, 8]) {
    note(`transformers, ${batch} at once`)
    const numbers = [threads, batch, promptTokens, newTokens, runs].map(String)
    const theirs = await python<{ tokensPerSecond: number[]; firstAnswer: number[] }>('transformers_generate.py', [
      folder,
      ...numbers
    ])
    for (const precision of ['fp32', 'int8'] as const) {
      note(`ours in ${precision}, ${batch} at once`)
      const ours = await withImportedModel(folder, { precision, threads }, async engine => {
        const rates: number[] = []
        let first: number[] = []
        for (let run = -1; run < runs; run++) {
          const startedAtMs = performance.now()
          const answers = await Promise.all(Array.from({ length: batch }, (_, place) => answerOf(engine, place)))
          if (run >= 0) rates.push((batch * newTokens * 1000) / (performance.now() - startedAtMs))
          first = answers[0]!
        }
        return { rates, first }
      })
      if (precision === 'fp32' && theirs !== undefined && ours.first.join() !== theirs.firstAnswer.join())
        note(`the answers of both differ: ${ours.first.join()} and ${theirs.firstAnswer.join()}`)
      const name = `peers.generate.${precision}.batch${batch}`
      results.push(
        theirs === undefined
          ? plain(name, `tokens/s (${install})`, ours.rates)
          : rate(
              name,
              'tokens/s',
              ours.rates,
              theirs.tokensPerSecond,
              'transformers in fp32, the same folder and threads'
            )
      )
    }
  }
  return results
}

async function answerOf(engine: Parameters<Parameters<typeof withImportedModel>[2]>[0], place: number) {
  const tokens = Uint32Array.from(
    { length: promptTokens },
    (_, at) => ((place * promptTokens + at) * 7919) % model.vocabulary
  )
  const sampling = { temperature: 0, topP: 1, seed: '' }
  const request = {
    model: importedModel,
    tokens,
    tokensMax: newTokens,
    stopTokens: [],
    sampling,
    requestId: `${place}`
  }
  const made: number[] = []
  for await (const step of engine.generateTokens(request)) made.push(...step.tokens)
  return made
}

async function hivemind({ note }: Options): Promise<Result[]> {
  const results: Result[] = []
  for (const rows of [1, 64]) {
    note(`hivemind, ${rows} rows a call`)
    const numbers = [threads, model.width, model.expertWidth, rows, expertCalls].map(String)
    const theirs = await python<{ latenciesMs: number[] }>('hivemind_expert.py', numbers)
    results.push(plain(`peers.hivemind.call.rows${rows}`, theirs ? 'ms' : install, theirs?.latenciesMs ?? [Number.NaN]))
  }
  return results
}

/** The last line that a script prints, or undefined where it cannot run here. */
async function python<T>(script: string, args: readonly string[]): Promise<T | undefined> {
  const program = findProgram('python3')
  if (program === undefined) return undefined
  try {
    const path = fileURLToPath(new URL(script, import.meta.url))
    const { stdout } = await promisify(execFile)(program, [path, ...args], { timeout: 300_000 })
    const line = stdout.split('\n').find(text => text.startsWith('{'))
    return line === undefined ? undefined : (JSON.parse(line) as T)
  } catch {
    return undefined
  }
}
