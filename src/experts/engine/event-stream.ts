import type { Frame } from './frame-channel.ts'

/**
 * What a request yields while it runs: `ask` starts it, `read` makes a value of each event or undefined of those that
 * only show life. Leaving the loop aborts the signal that `ask` got; the error of `ask` is thrown at the end.
 */
export async function* eventStream<Value>(
  ask: (options: { signal: AbortSignal; onEvent: (event: Frame) => void }) => Promise<unknown>,
  read: (event: Frame) => Value | undefined,
  given: AbortSignal | undefined
): AsyncGenerator<Value[]> {
  const left = new AbortController()
  const signal = given === undefined ? left.signal : AbortSignal.any([given, left.signal])
  const values: Value[] = []
  let ended = false
  let wake = (): void => {}
  const onEvent = (event: Frame): void => {
    const value = read(event)
    if (value === undefined) return
    values.push(value)
    wake()
  }
  const answer = ask({ signal, onEvent })
  const end = (): void => {
    ended = true
    wake()
  }
  answer.then(end, end)
  try {
    while (!ended || values.length > 0) {
      if (values.length > 0) yield values.splice(0)
      else await new Promise<void>(resolve => (wake = resolve))
    }
    await answer
  } finally {
    left.abort()
  }
}
