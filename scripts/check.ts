// The fast part of `npm test`: types, lint and format, import rules, generated documents. Under 30 s.
import { spawn } from 'node:child_process'

const checks: readonly (readonly [string, readonly string[]])[] = [
  ['types', ['node_modules/.bin/tsc', '--noEmit']],
  ['types of the dashboard', ['node_modules/.bin/tsc', '--project', 'src/api/dashboard']],
  [
    'lint and format',
    ['node_modules/.bin/biome', 'ci', '--colors=off', '--error-on-warnings', 'src', 'test', 'bench', 'scripts']
  ],
  ['import rules', ['node_modules/.bin/depcruise', '--output-type', 'err', 'src']],
  ['docs/errors.md is fresh', [process.execPath, 'scripts/write-error-docs.ts', '--check']]
]

function run(command: readonly string[]): Promise<{ ok: boolean; output: string }> {
  return new Promise(resolve => {
    const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', chunk => (output += chunk))
    child.stderr.on('data', chunk => (output += chunk))
    child.once('error', error => resolve({ ok: false, output: error.message }))
    child.once('close', code => resolve({ ok: code === 0, output }))
  })
}

const results = await Promise.all(checks.map(async ([name, command]) => ({ name, ...(await run(command)) })))
for (const { name, ok, output } of results) {
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name}`)
  if (!ok) console.log(output)
}
process.exitCode = results.every(result => result.ok) ? 0 : 1
