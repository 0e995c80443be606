/** Loaded into a daemon with --import: a defect that makes one base unit out of nothing in the fifth commit. */
import { State } from '../../src/dag/core/state.ts'

const { takeChanges } = State.prototype
const key = 'balance/@treasury/BLY'
let commits = 0

State.prototype.takeChanges = function forged(this: State) {
  if (++commits === 5) this.set(key, (BigInt(this.get(key) as string) + 1n).toString())
  return takeChanges.call(this)
}
