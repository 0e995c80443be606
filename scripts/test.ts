// Runs every test from source with Node's own runner. Real networks of processes come last, two at a time: they wait for
// their disks and clocks as much as they compute.
import { spawnSync } from 'node:child_process'

const groups: readonly (readonly string[])[] = [
  ['--test-concurrency=2', 'test/!(e2e)/**/*.test.ts', 'test/*.test.ts'],
  ['--test-concurrency=2', 'test/e2e/**/*.test.ts']
]
let failed = false
for (const group of groups) {
  const { status } = spawnSync(
    process.execPath,
    ['--test', '--test-timeout=300000', '--test-reporter=./scripts/test-reporter.ts', ...group],
    {
      stdio: 'inherit'
    }
  )
  failed ||= status !== 0
}
process.exitCode = failed ? 1 : 0
