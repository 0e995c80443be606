import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { type Devnet, type DevnetArchitecture, prepareDevnet } from '../../src/cli/devnet/folders.ts'
import { loadConfig } from '../../src/node/config.ts'
import { type BlyanNode, type FlagValues, obtainPassword, openDataFolder } from '../../src/node/index.ts'
import { openKeyStore, unlockNodeKeys } from '../../src/node/key-store.ts'
import { createRootLogger } from '../../src/node/logging.ts'
import { startNode } from '../../src/node/start-node.ts'

/** Small enough that a step takes milliseconds. */
export const tinyArchitecture: DevnetArchitecture = {
  family: 'blyan-moe/1',
  vocabulary: 256,
  width: 32,
  layers: 1,
  heads: 2,
  keyValueHeads: 1,
  headWidth: 16,
  experts: 2,
  expertsPerToken: 1,
  expertWidth: 32,
  contextTokens: 64,
  ropeBase: 10_000,
  normEpsilon: '1e-5',
  router: { softmaxFirst: true, normalise: true },
  embeddingScale: 'sqrtWidth',
  tiedOutput: true
}

/** Windows of seconds, little to measure, and no proof of work to speak of. */
export const quickLearning = {
  learningWindowMs: '3000',
  learningRevealMs: '3000',
  learningAggregateMs: '4000',
  learningBackupMs: '500',
  learningMeasureMs: '15000',
  learningPublishMs: '10000',
  learningSequences: '32',
  learningGainPpm: '500',
  learningWorkBits: '6'
}

const words =
  'the net learns from many small texts and every node that reads one says what it found to all others'.split(' ')

/** A folder of text that a tiny model can learn something from; another seed, another text of the same kind. */
export function writeTexts(folder: string, seed: number, files = 12): string {
  mkdirSync(folder, { recursive: true })
  let state = seed * 7919 + 13
  const draw = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return Math.floor((state / 2 ** 31) * below)
  }
  for (let file = 0; file < files; file++) {
    const sentences = Array.from({ length: 90 }, () => {
      const first = draw(words.length)
      const length = 6 + draw(8)
      return `${Array.from({ length }, (_, at) => words[(first + at + (draw(5) === 0 ? 1 : 0)) % words.length]).join(' ')}.`
    })
    writeFileSync(join(folder, `text-${file}.txt`), `${sentences.join('\n')}\n`)
  }
  return folder
}

export type LearningNetwork = {
  readonly root: string
  readonly devnet: Devnet
  /** Validators first. */
  readonly nodes: readonly BlyanNode[]
}

/** Real nodes of one new network that learns, in this process, connected and ready; they end with the test. */
export async function startLearningNetwork(
  t: TestContext,
  wanted: {
    readonly validators: number
    readonly learners: number
    readonly parameters?: Readonly<Record<string, string>>
    readonly settings?: FlagValues
  }
): Promise<LearningNetwork> {
  const root = mkdtempSync(join(tmpdir(), 'blyan-learning-'))
  const nodes: BlyanNode[] = []
  const releases: (() => Promise<unknown>)[] = []
  t.after(async () => {
    await Promise.all(nodes.map(node => node.stop()))
    for (const release of releases) await release()
    rmSync(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
  })
  const devnet = await prepareDevnet({
    root: join(root, 'net'),
    validators: wanted.validators,
    learners: wanted.learners,
    consensus: { heartbeatMs: 200, checkpointIntervalMs: 200 },
    economy: {
      parameters: {
        healthDegradedAfterMs: '86400000',
        healthFailedAfterMs: '86400000',
        dutyMs: '86400000',
        ...quickLearning,
        ...wanted.parameters
      }
    },
    architecture: tinyArchitecture
  })
  const starting: Promise<void>[] = []
  for (const folder of devnet.folders) {
    const flags = {
      'log.level': process.env.LEARNING_LOG ?? 'silent',
      'experts.device': 'cpu',
      'experts.serve': false,
      ...wanted.settings
    }
    const { config } = await loadConfig({ dataFolder: folder.path, flags, env: {} })
    const password = await obtainPassword({ passwordFile: join(folder.path, 'keys', 'password') }, '')
    const dataFolder = await openDataFolder(folder.path)
    const keys = await unlockNodeKeys(openKeyStore(join(folder.path, 'keys')), password, config.node.roles)
    const logger = createRootLogger({ ...config.log, logsFolder: dataFolder.paths.logsFolder })
    releases.push(
      () => dataFolder.release(),
      () => logger.close()
    )
    nodes.push(await startNode({ dataFolder, config, keys, logger, version: '0.0.0' }))
  }
  await Promise.all(starting)
  await until('ready', () => nodes.every(node => node.notReadyReasons().length === 0 && node.peers().length >= 1))
  return { root, devnet, nodes }
}

/** Waits for what happens by itself. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  const endMs = performance.now() + timeoutMs
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error(`not within ${timeoutMs} ms: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
