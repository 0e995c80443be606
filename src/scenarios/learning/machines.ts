import type { Participant } from '../participant.ts'
import type { Random } from '../seeded-random.ts'
import type { LearningSetting } from './setting.ts'

/** Somebody's machine on somebody's line. */
export type Machine = {
  readonly number: number
  readonly who: Participant
  readonly region: number
  readonly upBytesPerMs: number
  readonly downBytesPerMs: number
  readonly stepMs: number
  /** Until when its line is taken. */
  upFreeAtMs: number
  downFreeAtMs: number
}

/** Bytes per millisecond of one megabit per second. */
const bytesPerMs = 125
/** Servers with a line of their own. */
const operatorMegabits = { up: 100, down: 200 }

export function drawMachine(
  who: Participant,
  number: number,
  region: number,
  {
    setting,
    random,
    isServer
  }: { readonly setting: LearningSetting; readonly random: Random; readonly isServer: boolean }
): Machine {
  const spread = (): number => 2 ** (2 * random.next() - 1)
  const { upMegabitsPerSecond: up, downMegabitsPerSecond: down, stepMs } = setting
  const around = (megabits: number): number => megabits * bytesPerMs * spread()
  return {
    number,
    who,
    region,
    upBytesPerMs: around(isServer ? operatorMegabits.up : up),
    downBytesPerMs: around(isServer ? operatorMegabits.down : down),
    stepMs: stepMs * spread(),
    upFreeAtMs: 0,
    downFreeAtMs: 0
  }
}

/** What is sent over the lines, by what for. */
export const trafficKinds = ['delta', 'region', 'replay', 'measure', 'update', 'newcomer', 'chain'] as const
export type TrafficKind = (typeof trafficKinds)[number]
export type Traffic = { readonly [kind in TrafficKind]: { nearBytes: number; farBytes: number } }

export function noTraffic(): Traffic {
  return Object.fromEntries(trafficKinds.map(kind => [kind, { nearBytes: 0, farBytes: 0 }])) as unknown as Traffic
}

/** Of a name that nothing else in the round has. */
export type File = { readonly name: string; readonly sizeBytes: number }

/** Fetching an object asks three times: its root, its nodes, its data. */
const roundTripsOfFetch = 3

/** The lines between the machines: who sends and receives much waits for its own line. */
export class Wires {
  readonly #setting: LearningSetting
  #traffic = noTraffic()
  #pairs = new Set<string>()
  /** By machine and name: when a file came that is on it now. */
  #here = new Map<string, number>()

  constructor(setting: LearningSetting) {
    this.#setting = setting
  }

  /** When a file of one is with another that asks for it from `fromMs` on. A machine fetches a file once. */
  bring(kind: TrafficKind, from: Machine, to: Machine, { name, sizeBytes }: File, fromMs: number): number {
    if (from === to) return fromMs
    const place = `${to.number} ${name}`
    const hereMs = this.#here.get(place)
    if (hereMs !== undefined) return Math.max(fromMs, hereMs)
    const arrivedMs = this.#send(kind, from, to, sizeBytes, fromMs)
    this.#here.set(place, arrivedMs)
    return arrivedMs
  }

  #send(kind: TrafficKind, from: Machine, to: Machine, sizeBytes: number, fromMs: number): number {
    this.count(kind, from, to, sizeBytes)
    const sentMs = Math.max(fromMs, from.upFreeAtMs) + sizeBytes / from.upBytesPerMs
    from.upFreeAtMs = sentMs
    const receivedMs = Math.max(sentMs, Math.max(fromMs, to.downFreeAtMs) + sizeBytes / to.downBytesPerMs)
    to.downFreeAtMs = receivedMs
    return receivedMs + roundTripsOfFetch * this.roundTripMs(from, to)
  }

  count(kind: TrafficKind, from: Machine, to: Machine, sizeBytes: number): void {
    this.#pairs.add(from.number < to.number ? `${from.number} ${to.number}` : `${to.number} ${from.number}`)
    const bytes = this.#traffic[kind]
    if (from.region === to.region) bytes.nearBytes += sizeBytes
    else bytes.farBytes += sizeBytes
  }

  /** The same for a pair every time. */
  roundTripMs(from: Machine, to: Machine): number {
    const [least, most] = from.region === to.region ? this.#setting.nearMs : this.#setting.farMs
    const mixed = Math.imul(Math.min(from.number, to.number) + 1, 2_654_435_761) ^ Math.max(from.number, to.number)
    return least + (most - least) * ((Math.imul(mixed, 1_664_525) >>> 8) / 2 ** 24)
  }

  /** What was sent since it was taken last, and between how many pairs. */
  take(): { readonly traffic: Traffic; readonly connections: number } {
    const taken = { traffic: this.#traffic, connections: this.#pairs.size }
    this.#traffic = noTraffic()
    this.#pairs = new Set()
    this.#here = new Map()
    return taken
  }
}
