import { enableCompileCache } from 'node:module'

// Types are stripped and code compiled once for all later calls: half of the time of a short command.
enableCompileCache()
// A reader that went away (`| head`) is no failure.
process.stdout.on('error', error => {
  if ((error as NodeJS.ErrnoException).code === 'EPIPE') process.exit(0)
})
const { runCommandLine } = await import('./index.ts')
process.exitCode = await runCommandLine(process.argv.slice(2), process.env)
