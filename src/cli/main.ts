import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'

// Types are stripped and code compiled once for all later calls. In the user's own cache folder: in the shared one of
// the machine another user could put code for us to run.
const cacheHome = process.env.XDG_CACHE_HOME ?? process.env.LOCALAPPDATA ?? join(homedir(), '.cache')
enableCompileCache(process.env.NODE_COMPILE_CACHE ?? join(cacheHome, 'blyan-node'))
// A reader that went away (`| head`) is no failure.
process.stdout.on('error', error => {
  if ((error as NodeJS.ErrnoException).code === 'EPIPE') process.exit(0)
})
const { runCommandLine } = await import('./index.ts')
process.exitCode = await runCommandLine(process.argv.slice(2), process.env)
// A start that failed half-way may leave sockets of a library behind; nothing of ours waits for them.
setTimeout(() => process.exit(), 5000).unref()
