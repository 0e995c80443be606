import { createHash } from 'node:crypto'
import { type GraphSession, openGraphSession, type SessionSettings } from './graph-session.ts'

/** Runs in the engine process only. Trainings of one kind run through one session, with one arena for what a run holds. */
export interface TrainingGraphs {
  /** The session of a model, opened when nobody holds it; each call is paired with one of `leave`. */
  enter(model: Uint8Array): Promise<GraphSession>
}

export function createTrainingGraphs(settings: SessionSettings): TrainingGraphs {
  return new SharedTrainingGraphs(settings)
}

class SharedTrainingGraphs implements TrainingGraphs {
  readonly #settings: SessionSettings
  readonly #open = new Map<string, { session: Promise<GraphSession>; users: number }>()

  constructor(settings: SessionSettings) {
    this.#settings = settings
  }

  async enter(model: Uint8Array): Promise<GraphSession> {
    const key = createHash('sha256').update(model).digest('hex')
    const known = this.#open.get(key) ?? { session: this.#create(model), users: 0 }
    this.#open.set(key, known)
    known.users++
    const leave = async (): Promise<void> => {
      known.users--
      if (known.users > 0) return
      if (this.#open.get(key) === known) this.#open.delete(key)
      await (await known.session).leave()
    }
    try {
      const session = await known.session
      return { enter: () => void known.users++, leave, run: feeds => session.run(feeds) }
    } catch (error) {
      this.#open.delete(key)
      throw error
    }
  }

  #create(model: Uint8Array): Promise<GraphSession> {
    return openGraphSession(model, this.#settings.threads, false, this.#settings)
  }
}
