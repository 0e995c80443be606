// What `npm test` prints: a dot a test, failures in full, what long tests have to say, and a closing line with the counts.
import type { TestEvent } from 'node:test/reporters'
import { inspect } from 'node:util'

const dotsPerLine = 80

// biome-ignore lint/style/noDefaultExport: node:test loads a reporter by its default export
export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  let passed = 0
  let failed = 0
  let skipped = 0
  let dots = 0
  for await (const { type, data } of source) {
    if (type === 'test:pass' || type === 'test:fail') {
      if (data.skip !== undefined) skipped++
      else if (type === 'test:pass') passed++
      else failed++
      yield type === 'test:pass' ? '.' : 'X'
      if (++dots % dotsPerLine === 0) yield '\n'
    }
    if (type === 'test:fail')
      yield `\nFAILED ${data.name} (${data.file ?? ''}:${data.line ?? ''})\n${inspect(data.details.error)}\n`
    if (type === 'test:diagnostic' && data.nesting > 0) yield `\n${data.message}\n`
  }
  yield `\n${passed} passed, ${failed} failed, ${skipped} skipped\n`
}
