import type { Frame } from './frame-channel.ts'

/** One request in the engine process; `tell` sends an event of it, an empty one to show that it is not stuck. */
export type Turn = { readonly id: number; readonly signal: AbortSignal; readonly tell: (event: Frame) => void }
export type Handler = (frame: Frame, turn: Turn) => Promise<Frame>

/** How often a request that has nothing else to say shows that it is not stuck. */
const signOfLifeMs = 5000

/** To be called again and again, by a request that says nothing for long. */
export function signOfLife(turn: Turn): () => void {
  let toldAtMs = performance.now()
  return () => {
    if (performance.now() - toldAtMs < signOfLifeMs) return
    toldAtMs = performance.now()
    turn.tell({})
  }
}

/** The same for work that is long in many pieces, or waits. */
export async function showLife<Value>(turn: Turn, work: () => Promise<Value>): Promise<Value> {
  const timer = setInterval(() => turn.tell({}), signOfLifeMs)
  try {
    return await work()
  } finally {
    clearInterval(timer)
  }
}
