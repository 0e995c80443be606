import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Option } from 'commander'
import { BlyanError } from '../../errors/index.ts'
import {
  chooseDataFolder,
  dataFolderPaths,
  type NodeStatus,
  readApiAddress,
  readApiToken,
  readSmallFile,
  removeFile,
  runningProcess,
  writeFileDurably
} from '../../node/index.ts'
import { type CommandContext, type RegisterCommand, wholeNumber } from '../context.ts'
import { connectToDaemon } from '../daemon-client.ts'
import { dashboardAddress } from '../dashboard-address.ts'
import { type Devnet, type DevnetConsensus, findDevnet, prepareDevnet } from '../devnet/folders.ts'
import { type NodeProcess, startNodeProcess } from '../devnet/processes.ts'
import { fields, printable, sizeText, strong, table } from '../output.ts'

type UpOptions = {
  n: number
  learners: number
  gifted: number
  once?: true
  input?: string
  degraded?: 'none' | 'crash'
}

/** A machine that does other work too starts many processes slowly. */
const readyTimeoutMs = 180_000
const stopTimeoutMs = 30_000
const validatorsMax = 32
const statusLineEveryMs = 1000
const statusNoteEveryMs = 30_000
const supervisorFile = 'supervisor.json'
/** Where all must sign before an event is final, checkpoints come more often than the usual two a second. */
const degradedCheckpointIntervalMs = 20

/** All phases but the first end as soon as all is there: a slow machine gets its time, a fast one loses none. */
const patientLearning = {
  learningWindowMs: '12000',
  learningRevealMs: '12000',
  learningAggregateMs: '20000',
  learningMeasureMs: '60000',
  learningPublishMs: '30000'
}

export const register: RegisterCommand = (command, context) => {
  command
    .command('up')
    .description('start validators on this machine, each a process of its own, and show what goes on')
    .option('-n <validators>', 'number of validators', wholeNumber(1, validatorsMax), 4)
    .option('--learners <number>', 'nodes that follow and do not vote', wholeNumber(0, validatorsMax), 0)
    .option('--gifted <number>', 'nodes that are given to the network, with coins', wholeNumber(0, validatorsMax), 0)
    .addOption(
      new Option('--degraded <mode>', 'with -n 3: whether two go on when the third is gone, without finality').choices([
        'none',
        'crash'
      ])
    )
    .option('--once', 'do the main job from end to end, print a summary, stop everything')
    .option('--input <path>', 'with --once: file or folder with text for the model')
    .action((options: UpOptions) => up(context(), options))
  command
    .command('down')
    .description('stop all nodes of a network on this machine')
    .action(() => down(context()))
}

async function up(context: CommandContext, options: UpOptions): Promise<void> {
  if (options.input !== undefined && options.once !== true)
    throw new BlyanError('USAGE', { reason: '--input needs --once', hint: 'add --once' })
  if (options.degraded === 'crash' && options.n !== 3)
    throw new BlyanError('USAGE', { reason: '--degraded crash is for three validators', hint: 'add -n 3' })
  const isThrowaway = options.once === true && !hasChosenFolder(context)
  const { readInputText } = await import('../devnet/input-text.ts')
  const input = options.once === true ? await readInputText(options.input) : undefined
  const root = isThrowaway ? await mkdtemp(join(tmpdir(), 'blyan-devnet-')) : rootOf(context)
  const startedAtMs = performance.now()
  const nodes: NodeProcess[] = []
  const stopRequest = onceSignalled()
  let keepFolder = !isThrowaway
  try {
    const devnet = await prepareDevnet({
      root,
      validators: options.n,
      learners: options.learners,
      gifted: options.gifted,
      ...consensusOf(options),
      ...(options.once === true ? { economy: { parameters: patientLearning } } : {})
    })
    await requireNotRunning(devnet)
    await writeFileDurably(join(root, supervisorFile), JSON.stringify({ pid: process.pid }), { mode: 0o600 })
    context.output.note(`starting ${devnet.folders.length} nodes in ${root} ...`)
    for (const folder of devnet.folders) nodes.push(startNodeProcess(folder))
    await Promise.race([
      Promise.all(nodes.map(node => node.ready(readyTimeoutMs))),
      stopRequest.asked.then(() => Promise.reject(new BlyanError('INTERRUPTED')))
    ])
    const readyMs = performance.now() - startedAtMs
    if (input === undefined) await watch(context, devnet, nodes, readyMs, stopRequest.asked)
    else {
      const { runMainJob } = await import('../devnet/main-job.ts')
      const result = await runMainJob(devnet, input, text => context.output.note(text))
      await context.output.answer(
        {
          schema: 'blyan.devnet-once/1',
          readyMs,
          input: { from: input.from, files: input.files, bytes: input.bytes.length },
          ...result
        },
        () => summary(result, readyMs, options.n, input)
      )
    }
  } catch (error) {
    keepFolder = true
    throw error
  } finally {
    await stopAll(nodes)
    await removeFile(join(root, supervisorFile))
    if (keepFolder && isThrowaway) context.output.note(`logs and data are kept in ${root}`)
    if (!keepFolder) await rm(root, { recursive: true, force: true })
  }
}

async function down(context: CommandContext): Promise<void> {
  const root = rootOf(context)
  const devnet = await findDevnet(root)
  if (devnet === undefined) throw new BlyanError('DEVNET_MISSING', { root })
  const holders = await Promise.all(devnet.folders.map(folder => runningProcess(dataFolderPaths(folder.path))))
  const running = holders.filter(pid => pid !== null)
  for (const pid of running) process.kill(pid, 'SIGTERM')
  for (const endsAtMs = Date.now() + stopTimeoutMs; running.some(isRunning); ) {
    if (Date.now() > endsAtMs)
      throw new BlyanError('DEVNET_WILL_NOT_STOP', { pids: running.filter(isRunning).join(', ') })
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  const supervisor = await readSmallFile(join(root, supervisorFile))
  if (supervisor !== null) await waitForEnd((JSON.parse(supervisor) as { pid: number }).pid)
  await context.output.answer({ stopped: running.length, root }, () =>
    running.length === 0
      ? 'nothing was running'
      : `${running.length} nodes stopped; "blyan-node devnet up --data ${root}" starts them again`
  )
}

async function watch(
  context: CommandContext,
  devnet: Devnet,
  nodes: readonly NodeProcess[],
  readyMs: number,
  asked: Promise<string>
): Promise<void> {
  await context.output.answer({ schema: 'blyan.devnet/1', readyMs, ...(await describe(devnet)) }, () =>
    banner(devnet, readyMs)
  )
  const isTerminal = process.stderr.isTTY === true
  const timer = setInterval(
    () => void statusLine(devnet, nodes, isTerminal),
    isTerminal ? statusLineEveryMs : statusNoteEveryMs
  )
  await Promise.race([asked, Promise.all(nodes.map(node => node.ended))])
  clearInterval(timer)
  if (isTerminal) process.stderr.write('\n')
  context.output.note('stopping')
}

async function describe(devnet: Devnet): Promise<{
  genesisFile: string
  nodes: { name: string; data: string; api: string; address: string; nodeId: string }[]
}> {
  const nodes = await Promise.all(
    devnet.folders.map(async folder => {
      const paths = dataFolderPaths(folder.path)
      const status = await (await connectToDaemon(paths)).json<NodeStatus>({ path: '/v0/status' })
      const api = await readApiAddress(paths)
      return {
        name: folder.name,
        data: folder.path,
        api: api?.url ?? '',
        address: status.addresses[0] ?? '',
        nodeId: status.nodeId
      }
    })
  )
  return { genesisFile: devnet.genesisFile, nodes }
}

async function banner(devnet: Devnet, readyMs: number): Promise<string> {
  const first = devnet.folders[0]!.path
  const { nodes, genesisFile } = await describe(devnet)
  const status = await (await connectToDaemon(dataFolderPaths(devnet.folders[0]!.path))).json<NodeStatus>({
    path: '/v0/status'
  })
  return [
    strong(`${nodes.length} nodes ready after ${(readyMs / 1000).toFixed(1)} s`),
    '',
    await table(
      ['node', 'api', 'address'],
      nodes.map(node => [node.name, node.api, node.address])
    ),
    '',
    fields([
      ['genesis', status.genesis],
      ['genesis file', genesisFile],
      ['quorum', status.quorum.promise],
      ['dashboard', dashboardAddress(nodes[0]!.api, await readApiToken(dataFolderPaths(first), 'operate'))]
    ]),
    '',
    'try next, in another terminal:',
    `  ./bin/blyan-node status --data ${first}`,
    `  echo "hello, network" | ./bin/blyan-node event submit --type note --payload - --data ${first}`,
    `  ./bin/blyan-node chain show B --limit 5 --data ${devnet.folders.at(-1)!.path}`,
    ''
  ].join('\n')
}

async function statusLine(devnet: Devnet, nodes: readonly NodeProcess[], isTerminal: boolean): Promise<void> {
  for (const folder of devnet.folders) {
    try {
      const { quorum, events, chains } = await (await connectToDaemon(dataFolderPaths(folder.path))).json<NodeStatus>({
        path: '/v0/status',
        timeoutMs: 2000
      })
      const alive = nodes.filter(node => node.isAlive).length
      const text = printable(
        `${alive} of ${nodes.length} processes here, ${quorum.connected} of ${quorum.validators} validators, round ${quorum.finalRound} final, ${events.final} events, ${chains.B.blocks} parameter blocks`
      )
      process.stderr.write(isTerminal ? `\r\x1b[K${text.slice(0, (process.stderr.columns ?? 80) - 1)}` : `${text}\n`)
      return
    } catch {
      // That one is down: ask the next.
    }
  }
}

async function summary(
  result: import('../devnet/main-job.ts').MainJobResult,
  readyMs: number,
  validators: number,
  input: { from: string; files: number; bytes: Uint8Array }
): Promise<string> {
  const { learning } = result
  const rows = [
    [`${validators} validators ready`, 'a process, keys, ports and LevelDB each', readyMs] as const,
    ...result.steps.map(step => [step.what, step.result, step.elapsedMs] as const)
  ]
  return [
    await table(
      ['what', 'result', 'ms'],
      rows.map(([what, outcome, elapsedMs]) => [what, outcome, elapsedMs.toFixed(elapsedMs < 100 ? 1 : 0)])
    ),
    '',
    fields([
      ['text', `${input.bytes.length} bytes from ${input.files} files of ${input.from}`],
      [
        'loss',
        `${learning.beforeNatsPerByte.toFixed(4)} -> ${learning.afterNatsPerByte.toFixed(4)} nats per byte on it (a model that knows nothing 5.5452)`
      ],
      [
        'held out',
        `${learning.heldOut.beforeNats.toFixed(4)} -> ${learning.heldOut.afterNats.toFixed(4)} nats per byte, measured by validators on text that nobody trains on`
      ],
      [
        'learned',
        `${learning.steps} steps of ${learning.learners} learners, ${learning.acceptedDeltas} deltas accepted, ${sizeText(learning.bytesUp)} up, ${learning.expertEvents.length} expert events`
      ],
      ['refused', `${result.refused.tensor}: ${result.refused.code}`],
      ['before', JSON.stringify(learning.sampleBefore)],
      ['after', JSON.stringify(learning.sampleAfter)],
      ['event', result.event],
      ['block', result.block],
      ['tensor', result.tensor]
    ])
  ].join('\n')
}

async function requireNotRunning(devnet: Devnet): Promise<void> {
  for (const folder of devnet.folders) {
    const pid = await runningProcess(dataFolderPaths(folder.path))
    if (pid !== null) throw new BlyanError('DEVNET_RUNNING', { root: devnet.root, name: folder.name, pid })
  }
}

async function stopAll(nodes: readonly NodeProcess[]): Promise<void> {
  for (const node of nodes) if (node.isAlive) node.signal('SIGTERM')
  const timer = setTimeout(() => {
    for (const node of nodes) if (node.isAlive) node.signal('SIGKILL')
  }, stopTimeoutMs)
  await Promise.all(nodes.map(node => node.ended))
  clearTimeout(timer)
}

function onceSignalled(): { readonly asked: Promise<string> } {
  const { promise: asked, resolve } = Promise.withResolvers<string>()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve(signal))
  return { asked }
}

function consensusOf({ degraded }: UpOptions): { consensus?: DevnetConsensus } {
  if (degraded === undefined) return {}
  return {
    consensus: { degraded, ...(degraded === 'crash' ? { checkpointIntervalMs: degradedCheckpointIntervalMs } : {}) }
  }
}

function rootOf(context: CommandContext): string {
  return context.paths('devnet-local').root
}

/** Neither --data nor BLYAN_DATA: then `--once` uses a folder that it removes again. */
function hasChosenFolder(context: CommandContext): boolean {
  return (
    rootOf(context) !==
    dataFolderPaths(chooseDataFolder({ network: 'devnet-local', env: { ...context.env, BLYAN_DATA: undefined } })).root
  )
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function waitForEnd(pid: number): Promise<void> {
  for (const endsAtMs = Date.now() + stopTimeoutMs; isRunning(pid) && Date.now() < endsAtMs; )
    await new Promise(resolve => setTimeout(resolve, 50))
}
