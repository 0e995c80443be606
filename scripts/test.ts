// Runs every test from source with Node's own runner. Real networks of processes come last, two at a time: they wait for
// their disks and clocks as much as they compute.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const groups: readonly (readonly string[])[] = [
  ['--test-concurrency=2', 'test/!(e2e)/**/*.test.ts', 'test/*.test.ts'],
  ['--test-concurrency=2', 'test/e2e/**/*.test.ts']
]
// Hundreds of processes load the same sources: what one has compiled the next need not.
const compileCache = fileURLToPath(new URL('../node_modules/.cache/node-compile', import.meta.url))
const env = { ...process.env, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? compileCache }
let failed = false
for (const group of groups) {
  const { status } = spawnSync(
    process.execPath,
    ['--test', '--test-timeout=300000', '--test-reporter=./scripts/test-reporter.ts', ...group],
    { stdio: 'inherit', env }
  )
  failed ||= status !== 0
}
process.exitCode = failed ? 1 : 0
