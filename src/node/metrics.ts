import { collectDefaultMetrics, Gauge, Histogram, Registry } from '@prometheus-io/client'
import type { NodeStatus } from './blyan-node.ts'

/** Numbers for Prometheus: read from the same status that people see, plus the time events take to become final. */
export interface NodeMetrics {
  observeFinality(elapsedMs: number): void
  text(status: NodeStatus, memory: { vertices: number; suspended: number; wanted: number }): Promise<string>
}

export function createMetrics(): NodeMetrics {
  return new PrometheusMetrics()
}

class PrometheusMetrics implements NodeMetrics {
  readonly #registry = new Registry()
  readonly #gauges = new Map<string, Gauge<string>>()
  readonly #finality: Histogram<string>
  readonly #lastRound: Gauge<string>

  constructor() {
    collectDefaultMetrics({ register: this.#registry })
    this.#finality = new Histogram({
      name: 'blyan_event_finality_seconds',
      help: 'From submission here to finality',
      buckets: [0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3, 0.5, 1, 2, 5],
      registers: [this.#registry]
    })
    this.#lastRound = new Gauge({
      name: 'blyan_validator_last_round',
      help: 'Newest round seen of a validator',
      labelNames: ['validator'],
      registers: [this.#registry]
    })
  }

  observeFinality(elapsedMs: number): void {
    this.#finality.observe(elapsedMs / 1000)
  }

  async text(status: NodeStatus, memory: { vertices: number; suspended: number; wanted: number }): Promise<string> {
    const { quorum, events, checkpoint, chains, disk } = status
    this.#set('blyan_ready', 'Whether the node is ready', status.state === 'ready' ? 1 : 0)
    this.#set('blyan_round', 'Newest round with a quorum of vertices', quorum.round)
    this.#set('blyan_final_round', 'Round of the last commit', quorum.finalRound)
    this.#set('blyan_commits_total', 'Commits executed', quorum.commits)
    this.#set('blyan_validators', 'Validators of this epoch', quorum.validators)
    this.#set('blyan_validators_connected', 'Validators connected, this node among them', quorum.connected)
    this.#set('blyan_events_final_total', 'Events in the final order', events.final)
    this.#set('blyan_events_pending', 'Events submitted here that are not final yet', events.pending)
    this.#set('blyan_checkpoint_sequence', 'Newest checkpoint', checkpoint.sequence)
    this.#set('blyan_peers', 'Peers of this network', status.peers)
    this.#set('blyan_parameter_blocks', 'Blocks of chain B', chains.B.blocks)
    this.#set('blyan_disk_used_bytes', 'Size of the data folder', disk.usedBytes)
    this.#set('blyan_disk_free_bytes', 'Free space where the data folder is', disk.freeBytes)
    this.#set('blyan_graph_vertices', 'Vertices in memory', memory.vertices)
    this.#set('blyan_graph_suspended', 'Vertices that wait for ancestors', memory.suspended)
    this.#set('blyan_graph_wanted', 'Vertices being fetched', memory.wanted)
    this.#set(
      'blyan_genesis_pact_alarm',
      'Fewer than 75% of the peers asked share our genesis',
      status.genesisPact.alarm ? 1 : 0
    )
    for (const member of quorum.members) this.#lastRound.set({ validator: member.name }, member.lastRound)
    return this.#registry.metrics()
  }

  #set(name: string, help: string, value: number): void {
    let gauge = this.#gauges.get(name)
    if (gauge === undefined) {
      gauge = new Gauge({ name, help, registers: [this.#registry] })
      this.#gauges.set(name, gauge)
    }
    gauge.set(value)
  }
}
