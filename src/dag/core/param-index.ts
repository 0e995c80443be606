/** One version of a part of the model: where its block and its tensor are. */
export type PartVersion = {
  readonly name: string
  readonly blockType: string
  readonly layer: number | null
  readonly block: string
  readonly tensor: string
  readonly shape: readonly number[]
}

/** ParamIndex (seed 004): from a part's name to its newest block, with its history, oldest first. */
export class ParamIndex {
  readonly #versions = new Map<string, PartVersion[]>()
  #changes = 0

  /** How often something was added: what is made of an index is still right while this is the same. */
  get changes(): number {
    return this.#changes
  }

  add(version: PartVersion): void {
    this.#changes++
    const versions = this.#versions.get(version.name)
    if (versions === undefined) this.#versions.set(version.name, [version])
    else versions.push(version)
  }

  newest(name: string): PartVersion | undefined {
    return this.#versions.get(name)?.at(-1)
  }

  history(name: string): readonly PartVersion[] {
    return this.#versions.get(name) ?? []
  }

  names(): string[] {
    return [...this.#versions.keys()].sort()
  }
}
