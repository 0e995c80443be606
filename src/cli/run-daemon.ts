import { createApi } from '../api/index.ts'
import { describeError } from '../errors/index.ts'
import { type BlyanNode, importStartNode, type NodeStatus, type StartNodeInput } from '../node/index.ts'
import { dashboardAddress } from './dashboard-address.ts'
import { fields, type Output } from './output.ts'

const statusEveryMs = 30_000
const stopWithinMs = 30_000
/** One Ctrl+C may arrive twice: from the terminal and from the launcher that passes signals on. */
const sameSignalMs = 500
const interruptedExitCode = 130

/** What a process does with its own node; told by `signal` that it shall end. */
export type DaemonWork = (signal: AbortSignal) => Promise<void>

/** Runs a node and its API until someone asks it to stop, or its work is done. Gives the exit code. */
export async function runDaemon(input: StartNodeInput, output: Output, work?: DaemonWork): Promise<number> {
  const { dataFolder, config, logger } = input
  const stop = listenForStop(output.verbose)
  const { startNode } = await importStartNode()
  const node = await startNode({ ...input, onFatal: stop.fail })
  const tokens = await dataFolder.tokens()
  const api = createApi({
    node,
    tokens,
    logger: logger.component('api'),
    onStop: () => stop.ask('a request')
  })
  const ending = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let working: Promise<void> | undefined
  try {
    const { url } = await api.start(config.api)
    await dataFolder.announceApi(url)
    const status = await node.status()
    const banner = (): string => bannerText(status, url, dashboardAddress(url, tokens.operate))
    if (work === undefined) await output.answer({ started: true, api: url, ...status }, banner)
    else output.note(banner())
    timer = setInterval(() => void logStatus(node, logger), statusEveryMs)
    working = work?.(ending.signal)
    const done = working === undefined ? [] : [working.then(() => undefined)]
    const reason = await Promise.race([stop.asked, ...done])
    if (reason !== undefined) output.note(`stopping after ${reason}; once more forces it`)
    ending.abort()
    await working
  } finally {
    ending.abort()
    clearInterval(timer)
    // Also when the API could not start: what a node has begun must reach the disk.
    await drain([
      ['open API requests', () => api.stop()],
      ['the node to put everything on disk', () => node.stop()]
    ])
  }
  logger.info('stopped')
  return stop.exitCode()
}

type StopListener = {
  readonly asked: Promise<string>
  readonly fail: (error: unknown) => void
  ask(reason: string): void
  exitCode(): number
}

function listenForStop(verbose: boolean): StopListener {
  const { promise: asked, resolve } = Promise.withResolvers<string>()
  let firstMs = 0
  let exitCode = 0
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (firstMs === 0) {
        firstMs = Date.now()
        resolve(signal)
      } else if (Date.now() - firstMs > sameSignalMs) process.exit(interruptedExitCode)
    })
  }
  const fail = (error: unknown): void => {
    const { code, message, nextStep, exitCode: described } = describeError(error)
    exitCode = described
    process.stderr.write(`${code}: ${message}\n${nextStep}\n`)
    if (verbose && error instanceof Error) process.stderr.write(`${error.stack}\n`)
    resolve('that fault')
  }
  process.on('uncaughtException', fail)
  process.on('unhandledRejection', fail)
  return {
    asked,
    fail,
    ask: reason => {
      firstMs ||= Date.now()
      resolve(reason)
    },
    exitCode: () => exitCode
  }
}

/** One after the other, each named while it lasts; gives up after the deadline rather than hang for ever. */
async function drain(parts: readonly (readonly [string, () => Promise<void>])[]): Promise<void> {
  let current = ''
  const deadline = setTimeout(() => {
    process.stderr.write(`gave up after ${stopWithinMs / 1000} s waiting for ${current}\n`)
    process.exit(1)
  }, stopWithinMs)
  for (const [name, stop] of parts) {
    current = name
    const slow = setTimeout(() => process.stderr.write(`waiting for ${name}\n`), 2000)
    // One part that fails to stop must not keep the next from reaching the disk.
    await stop()
      .catch(error => process.stderr.write(`stopping ${name}: ${describeError(error).message}\n`))
      .finally(() => clearTimeout(slow))
  }
  clearTimeout(deadline)
}

async function logStatus(node: BlyanNode, logger: StartNodeInput['logger']): Promise<void> {
  try {
    const { state, reasons, quorum, events, peers } = await node.status()
    const { connected, validators, finalRound } = quorum
    const why = reasons.length === 0 ? '' : ` (${reasons.join('; ')})`
    const degraded = events.degraded === 0 ? '' : `, ${events.degraded} degraded`
    logger.info(
      `${state}${why}: round ${finalRound} final, ${connected} of ${validators} validators, ${peers} peers, ${events.final} events final${degraded}, ${events.pending} pending`
    )
  } catch (error) {
    logger.warn({ code: describeError(error).code }, 'no status to log')
  }
}

function bannerText(status: NodeStatus, url: string, dashboard: string): string {
  return fields([
    ['blyan-node', status.version],
    ['network', status.network],
    ['genesis', status.genesis],
    ['node', status.nodeId],
    ['roles', status.roles.join(', ') || 'none: follows and checks'],
    ['addresses', status.addresses.join(' ') || 'none'],
    ['data', status.dataFolder],
    ['API', url],
    ['dashboard', dashboard],
    ['next step', status.nextStep ?? `blyan-node status --data ${status.dataFolder}`]
  ])
}
