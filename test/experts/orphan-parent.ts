/** A daemon in miniature for engine.test.ts: starts an engine, prints its process id, waits to be killed. */
import { createEngine } from '../../src/experts/index.ts'
import { silentLogger } from './model-folder.ts'

const engine = createEngine({ tensorFolder: process.argv[2]!, threads: 1, logger: silentLogger })
await engine.start()
process.stdout.write(`${(await engine.status()).processId}\n`)
setInterval(() => {}, 60_000)
