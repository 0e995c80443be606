/** One replicated system, driven in the same way as the others. */
export interface System {
  /** Writes one value and resolves when it is as durable as the system promises. */
  write(value: Buffer): Promise<void>
  /** Writes all as fast as it can, and resolves when every member that must has them. */
  writeAll(values: readonly Buffer[]): Promise<void>
  readonly pids: readonly number[]
}

/** Runs `work` on a fresh system; undefined when its program is not on this machine. */
export type SystemOpener = {
  readonly name: string
  /** What installs the program. */
  readonly install: string
  readonly isHere: () => boolean
  open<T>(folder: string, work: (system: System) => Promise<T>): Promise<T>
}
