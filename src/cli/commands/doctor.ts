import { describeError } from '../../errors/index.ts'
import { importConfig, type LoadedConfig, type NodeStatus, readApiAddress } from '../../node/index.ts'
import type { CommandContext, RegisterCommand } from '../context.ts'
import { describeFailure } from '../daemon-client.ts'
import {
  checkClock,
  checkDisk,
  checkFolder,
  checkKeys,
  checkPorts,
  checkSystem,
  type Finding
} from '../machine-checks.ts'
import { coloured, faint, printable } from '../output.ts'

export const register: RegisterCommand = (command, context) => {
  command.action(async () => {
    const { output } = context()
    const findings = await examine(context())
    const failed = findings.filter(finding => finding.verdict === 'fail').length
    if (failed > 0) process.exitCode = 1
    await output.answer({ ok: failed === 0, checks: findings }, () => findings.map(findingText).join('\n'))
  })
}

async function examine(context: CommandContext): Promise<Finding[]> {
  const paths = context.paths()
  const findings = [...checkSystem(), checkClock()]
  const loaded = await loadedConfig(context, findings)
  findings.push(...(await checkFolder(paths)))
  findings.push(...(await checkKeys(paths, loaded?.config.node.roles ?? [])))
  findings.push(...(await checkDisk(paths.root, loaded?.config.storage.minimumFreeBytes ?? 0)))
  const daemon = await readApiAddress(paths)
  if (daemon !== null)
    findings.push(
      {
        check: 'daemon',
        verdict: 'ok',
        detail: `runs as process ${daemon.pid} at ${daemon.url}`,
        nextStep: null
      },
      ...(await checkQuorum(context))
    )
  else if (loaded !== null) findings.push(...(await checkPorts(loaded.config)))
  findings.push(await checkDevice(loaded?.config.experts.threads ?? 1))
  return findings
}

async function loadedConfig(context: CommandContext, findings: Finding[]): Promise<LoadedConfig | null> {
  try {
    const { loadConfig } = await importConfig()
    const flags = { 'keys.passwordFile': context.passwordFile }
    const loaded = await loadConfig({ dataFolder: context.paths().root, flags, env: context.env })
    findings.push({ check: 'settings', verdict: 'ok', detail: 'all make sense', nextStep: null })
    return loaded
  } catch (error) {
    const { message, nextStep } = describeError(error)
    findings.push({ check: 'settings', verdict: 'fail', detail: message, nextStep })
    return null
  }
}

/** What the running node says of the network. */
async function checkQuorum(context: CommandContext): Promise<Finding[]> {
  try {
    const { state, ready, reasons, alarms, nextStep, quorum } = await (await context.daemon()).json<NodeStatus>({
      path: '/v0/status'
    })
    const detail = reasons.length === 0 ? `${state}: ${quorum.promise}` : reasons.join('; ')
    const verdict = !ready ? 'fail' : reasons.length > 0 ? 'warn' : 'ok'
    return [
      { check: 'quorum', verdict, detail, nextStep },
      ...alarms.map(
        (alarm): Finding => ({
          check: 'alarm',
          verdict: 'warn',
          detail: alarm,
          nextStep: 'see "Reading status when something breaks" in docs/operators.md'
        })
      )
    ]
  } catch (error) {
    const { message, nextStep } = describeFailure(error)
    return [{ check: 'quorum', verdict: 'fail', detail: message, nextStep }]
  }
}

/** Loaded on its own: a machine whose engine cannot even load still gets the other answers. */
async function checkDevice(threads: number): Promise<Finding> {
  const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
  try {
    const { probeDevice } = await import('../../experts/index.ts')
    const { provider, name, score, tier, why } = await probeDevice({ threads, logger: quiet })
    if (provider !== null) {
      return {
        check: 'device',
        verdict: 'ok',
        detail: `${name}, score ${score}, tier ${tier}; ${why}`,
        nextStep: null
      }
    }
    return {
      check: 'device',
      verdict: 'warn',
      detail: why,
      nextStep: 'this node cannot compute; set experts.enabled = false, or install again'
    }
  } catch (error) {
    return {
      check: 'device',
      verdict: 'warn',
      detail: describeError(error).message,
      nextStep: 'run "npm ci" again; without it this node cannot compute'
    }
  }
}

function findingText({ check, verdict, detail, nextStep }: Finding): string {
  const colour = verdict === 'ok' ? 'green' : verdict === 'warn' ? 'yellow' : 'red'
  const line = `${coloured(colour, verdict.padEnd(4))}  ${check.padEnd(14)}  ${printable(detail)}`
  return nextStep === null ? line : `${line}\n${' '.repeat(22)}${faint(printable(nextStep))}`
}
