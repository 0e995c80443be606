import type { Command } from 'commander'
import { BlyanError, isBlyanError } from '../../errors/index.ts'
import type { LearnerStatus, LearningStatus } from '../../node/index.ts'
import { type CommandContext, type RegisterCommand, wholeNumber } from '../context.ts'
import type { DaemonClient } from '../daemon-client.ts'
import { learn } from '../learn-session.ts'
import { learnTarget, requireFolder } from '../learn-target.ts'
import { learningText } from '../learn-text.ts'
import { propose } from '../propose-session.ts'
import { startDaemon } from '../start-daemon.ts'

type LearnOptions = {
  readonly model?: string
  readonly experts?: readonly string[]
  readonly parts?: readonly string[]
  readonly codec?: string
  readonly bytesMax?: number
  readonly steps?: number
  readonly once?: true
}

type Work = (daemon: DaemonClient, signal: AbortSignal) => Promise<void>

const stepsByDefault = 200
const readyPollEveryMs = 200
/** One Ctrl+C may arrive twice: from the terminal and from the launcher that passes signals on. */
const sameSignalMs = 500
const interruptedExitCode = 130

export const register: RegisterCommand = (command, context) => {
  command
    .usage('--data FOLDER [options]')
    .argument('[folder]', 'the texts, where --data names the data folder of the node')
    .option('--model <name>', 'which model to train, as "model list" shows; genesis unless given')
    .option(
      '--experts <names>',
      'train these experts alone, outside rounds, and propose them: layer0.expert3,...',
      names
    )
    .option(
      '--steps <n>',
      `with --experts: how long to train; ${stepsByDefault} unless given`,
      wholeNumber(1, 1_000_000)
    )
    .option('--parts <names>', 'what this machine may train, by name or pattern: layer0.*; all unless given', names)
    .option('--codec <name>', 'how deltas are made small; lr8+k32, or what the node is set to, unless given')
    .option('--bytes-max <n>', 'most bytes of text; 1 GiB unless given', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option('--once', 'end once one delta was accepted or refused')
    .addHelpText('after', helpText)
    .action((folder: string | undefined, options: LearnOptions) => begin(context(), folder, options))
  registerStatus(command, context)
  command
    .command('stop')
    .summary('end learning; what was trained is kept for the next time')
    .action(async () => {
      const { output, daemon } = context()
      const call = { method: 'POST', path: '/v0/learning/stop', timeoutMs: 120_000 } as const
      const status = await (await daemon()).json<LearningStatus & { stopped: LearnerStatus | null }>(call)
      await output.answer(status, () =>
        status.stopped === null ? 'this node was not learning' : `stopped after ${status.stopped.step} steps`
      )
    })
}

const helpText = `
Reads text and code files, keeps a sixteenth of them away from training, joins the learners of the network and
shows loss, rounds, what became of its deltas, bytes and what was earned. Uses the running node, or starts one.

  blyan-node learn --data ~/texts                          with the node in its usual folder
  blyan-node learn --data ~/texts --data ./net/learner-0   with that node
  blyan-node learn --data ~/texts --experts layer0.expert3 one expert, proposed as a new version
`

function registerStatus(command: Command, context: () => CommandContext): void {
  command
    .command('status')
    .summary('how learning goes')
    .action(async () => {
      const { output, daemon } = context()
      const status = await (await daemon()).json<LearningStatus>({ path: '/v0/learning' })
      await output.answer(status, () => learningText(status))
    })
}

async function begin(given: CommandContext, argument: string | undefined, options: LearnOptions): Promise<void> {
  requireMeaning(options)
  const { texts, node } = learnTarget(argument, given.dataFolders)
  if (texts === undefined)
    throw new BlyanError('USAGE', { reason: 'learn needs a folder with texts', hint: 'blyan-node learn --data FOLDER' })
  await requireFolder(texts)
  const { model, parts, codec, bytesMax, experts, steps = stepsByDefault, once = false } = options
  const context = given.at(node)
  const { output } = context
  const shared = { folder: texts, model, bytesMax }
  await atNode(context, (daemon, signal) =>
    experts === undefined
      ? learn({ daemon, output, body: { ...shared, parts, codec }, once, signal })
      : propose({ daemon, output, body: { ...shared, parts: experts, steps }, signal })
  )
}

function requireMeaning({ experts, steps, once, codec, parts }: LearnOptions): void {
  const wrong = (reason: string, hint: string): BlyanError => new BlyanError('USAGE', { reason, hint })
  if (experts === undefined && steps !== undefined)
    throw wrong('--steps is for --experts', 'leave it away: a round says how long it takes')
  if (experts === undefined) return
  if (once !== undefined || codec !== undefined || parts !== undefined)
    throw wrong('--once, --codec and --parts are for rounds, --experts is outside of them', 'leave them away')
}

/** At the daemon of the data folder where one runs; else a node is started for it here, and ends with it. */
async function atNode(context: CommandContext, work: Work): Promise<void> {
  const daemon = await context.daemon().catch((error: unknown) => {
    if (isBlyanError(error, 'DAEMON_NOT_REACHABLE')) return undefined
    throw error
  })
  if (daemon !== undefined) return work(daemon, endedBySignals())
  context.output.note(`no node runs in ${context.paths().root}: it is started for this`)
  await startDaemon(context, {}, {}, async signal => {
    const own = await context.daemon()
    await untilReady(own, signal)
    if (!signal.aborted) await work(own, signal)
  })
}

/** The first signal ends it in order, the second at once. */
function endedBySignals(): AbortSignal {
  const ending = new AbortController()
  let firstMs = 0
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (firstMs !== 0 && Date.now() - firstMs > sameSignalMs) process.exit(interruptedExitCode)
      firstMs ||= Date.now()
      ending.abort()
    })
  }
  return ending.signal
}

async function untilReady(daemon: DaemonClient, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const { ready } = await daemon.json<{ ready: boolean }>({ path: '/v0/status' })
    if (ready) return
    await new Promise(resolve => setTimeout(resolve, readyPollEveryMs))
  }
}

function names(text: string): readonly string[] {
  const found = text.split(',').map(name => name.trim())
  if (found.every(name => /^[\w.:*-]{1,128}$/.test(name))) return found
  const reason = `"${text.slice(0, 80)}" is no list of parts`
  throw new BlyanError('USAGE', { reason, hint: 'name them with commas between: layer0.expert3,layer1.expert0' })
}
