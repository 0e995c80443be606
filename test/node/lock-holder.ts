import { openDataFolder } from '../../src/node/data-folder.ts'

// Started by tests: takes the data folder, says so, and holds it until it is killed.
try {
  await openDataFolder(process.argv[2]!)
  process.stdout.write('held\n')
  setInterval(() => {}, 1000)
} catch (error) {
  process.stdout.write(`${(error as { code?: string }).code ?? String(error)}\n`)
}
