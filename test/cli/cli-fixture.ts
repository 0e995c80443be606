import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

export type CliResult = {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  readonly docs: Record<string, unknown>[]
}

/** Runs the command line as a process of its own, without a terminal. */
export function cli(
  args: readonly string[],
  options: { input?: string | Uint8Array; env?: Record<string, string> } = {}
): Promise<CliResult> {
  const { NODE_TEST_CONTEXT: _context, ...inherited } = process.env
  const child = spawn(process.execPath, [main, ...args], { env: { ...inherited, ...options.env }, timeout: 30_000 })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', chunk => (stdout += chunk))
  child.stderr.setEncoding('utf8').on('data', chunk => (stderr += chunk))
  child.stdin.on('error', () => {})
  child.stdin.end(options.input ?? '')
  return new Promise(resolve => {
    child.on('close', code => {
      const docs = args.includes('--json')
        ? stdout
            .split('\n')
            .filter(Boolean)
            .map(line => JSON.parse(line) as Record<string, unknown>)
        : []
      resolve({ code, stdout, stderr, docs })
    })
  })
}
