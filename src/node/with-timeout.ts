/** What the promise gives; undefined when the time is over or the signal aborts before. */
export async function withTimeout<T>(
  promise: Promise<T>,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal }
): Promise<T | undefined> {
  const timeout = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => timeout.resolve(undefined), timeoutMs)
  const stop = (): void => timeout.resolve(undefined)
  signal?.addEventListener('abort', stop, { once: true })
  try {
    return await Promise.race([promise, timeout.promise])
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', stop)
  }
}
