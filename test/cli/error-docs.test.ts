import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorDocsAreFresh } from '../../scripts/write-error-docs.ts'
import { type ErrorEntry, errorTable } from '../../src/errors/index.ts'

test('docs/errors.md says what the error table says', () => {
  assert.ok(errorDocsAreFresh(), 'run "node scripts/write-error-docs.ts"')
})

test('every error says what is wrong and what to do, and exits with a promised code', () => {
  for (const [code, entry] of Object.entries(errorTable) as [string, ErrorEntry][]) {
    assert.match(code, /^[A-Z][A-Z0-9_]+$/)
    assert.ok(entry.message.length > 3 && entry.nextStep.length > 3, code)
    assert.ok([1, 2, 3, 4, 5, 6, 7, 8, 130].includes(entry.exitCode ?? 1), code)
    assert.ok((entry.httpStatus ?? 500) >= 400, code)
  }
})
