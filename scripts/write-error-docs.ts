import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type ErrorEntry, errorTable } from '../src/errors/index.ts'

/** Writes docs/errors.md from the error table; `--check` only says whether the file is fresh. */
const path = fileURLToPath(new URL('../docs/errors.md', import.meta.url))

const exitCodes: readonly (readonly [number, string])[] = [
  [0, 'ok'],
  [1, 'error'],
  [2, 'usage'],
  [3, 'configuration'],
  [4, 'data folder in use'],
  [5, 'keys locked'],
  [6, 'daemon not reachable'],
  [7, 'not ready'],
  [8, 'data too new'],
  [130, 'interrupted']
]

export function errorDocs(): string {
  const rows = (Object.entries(errorTable) as [string, ErrorEntry][])
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, entry]) => {
      const cells = [
        `\`${code}\``,
        entry.message,
        entry.nextStep,
        entry.exitCode ?? 1,
        entry.httpStatus ?? 500,
        entry.fault,
        entry.retry ? 'yes' : 'no'
      ]
      return `| ${cells.map(cell => String(cell).replaceAll('|', '\\|')).join(' | ')} |`
    })
  return [
    '# Errors',
    '',
    'Made from `src/errors` by `node scripts/write-error-docs.ts`; do not edit. Words in braces are filled in.',
    'With `--json`, and over HTTP, an error is `{"error": {"code", "message", "nextStep"}}`.',
    '',
    '## Exit codes',
    '',
    ...exitCodes.map(([code, meaning]) => `- ${code}: ${meaning}`),
    '',
    '## Codes',
    '',
    '| code | message | next step | exit | HTTP | who can change it | worth trying again |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
    ''
  ].join('\n')
}

export function errorDocsAreFresh(): boolean {
  return readFileSync(path, 'utf8') === errorDocs()
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (!process.argv.includes('--check')) writeFileSync(path, errorDocs())
  else if (!errorDocsAreFresh()) {
    console.error('docs/errors.md is stale: run "node scripts/write-error-docs.ts"')
    process.exitCode = 1
  }
}
