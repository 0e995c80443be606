// Runs every test from source with Node's own runner. Most rooms share one process, because loading the sources costs as
// much as their tests do; beside it run those whose tests look at their own process, one process a file. Real networks of
// processes come last, two at a time: they wait for their disks and clocks as much as they compute.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const sharingRooms = 'consensus,dag,datasets,guardian,learning,ledger,models,net,routing,scenarios,storage,tiles'
const stages: readonly (readonly (readonly string[])[])[] = [
  [
    ['--test-isolation=none', `test/{${sharingRooms}}/**/*.test.ts`],
    ['--test-concurrency=2', `test/!(e2e|${sharingRooms.replaceAll(',', '|')})/**/*.test.ts`, 'test/*.test.ts']
  ],
  [['--test-concurrency=2', 'test/e2e/**/*.test.ts']]
]
// Hundreds of processes load the same sources: what one has compiled the next need not.
const compileCache = fileURLToPath(new URL('../node_modules/.cache/node-compile', import.meta.url))
const env = { ...process.env, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? compileCache }

async function run(choice: readonly string[]): Promise<boolean> {
  const fixed = ['--test', '--test-timeout=300000', '--test-reporter=./scripts/test-reporter.ts']
  const [code] = await once(spawn(process.execPath, [...fixed, ...choice], { stdio: 'inherit', env }), 'exit')
  return code === 0
}

for (const groups of stages) {
  const passed = await Promise.all(groups.map(run))
  if (passed.includes(false)) process.exitCode = 1
}
