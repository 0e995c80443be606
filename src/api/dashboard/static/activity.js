/** What happened per second, from the counters a status carries. Pure; bounded. */
const pointsMax = 600

export class Activity {
  #points = []
  #last

  /** Notes the counters at a time in milliseconds. The first ones only begin the count. */
  note(timeMs, { events, rounds }) {
    const last = this.#last
    const spanSeconds = last === undefined ? 0 : (timeMs - last.timeMs) / 1000
    if (last !== undefined && spanSeconds < 0.5) return
    this.#last = { timeMs, events, rounds }
    // A node that was restarted counts from what it finds on disk: never less than nothing.
    if (last !== undefined)
      this.#points.push({
        timeMs,
        eventsPerSecond: Math.max(0, events - last.events) / spanSeconds,
        roundsPerSecond: Math.max(0, rounds - last.rounds) / spanSeconds
      })
    if (this.#points.length > pointsMax) this.#points.shift()
  }

  get points() {
    return this.#points
  }

  get latest() {
    return this.#points.at(-1)
  }

  /** Seconds since 1970 and the two series, as a chart takes them. */
  columns() {
    return [
      this.#points.map(point => point.timeMs / 1000),
      this.#points.map(point => point.eventsPerSecond),
      this.#points.map(point => point.roundsPerSecond)
    ]
  }
}
