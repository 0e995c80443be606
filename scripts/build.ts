// Compiles src/ to dist/ for the published package: no type stripping happens under node_modules.
import { spawnSync } from 'node:child_process'
import { cpSync, rmSync } from 'node:fs'

rmSync('dist', { recursive: true, force: true })
const { status } = spawnSync('node_modules/.bin/tsc', ['--project', 'tsconfig.build.json'], { stdio: 'inherit' })
// The dashboard runs in browsers as it stands.
cpSync('src/api/dashboard/static', 'dist/api/dashboard/static', { recursive: true })
process.exitCode = status ?? 1
