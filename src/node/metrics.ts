import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from '@prometheus-io/client'
import type { ExpertsStatus, NodeStatus, TransitionKind } from './blyan-node.ts'
import { learningMeasures } from './learning/learning-metrics.ts'
import type { LearningStatus } from './learning/learning-status-types.ts'

/** Numbers for Prometheus: read from the same status that people see, plus the time events take to become final. */
export interface NodeMetrics {
  observeFinality(elapsedMs: number): void
  countTransition(kind: TransitionKind): void
  /** `learning` is left out where nothing is known of it. */
  text(
    status: NodeStatus,
    memory: { vertices: number; suspended: number; wanted: number },
    learning?: LearningStatus
  ): Promise<string>
}

export function createMetrics(): NodeMetrics {
  return new PrometheusMetrics()
}

type Member = NodeStatus['quorum']['members'][number]
type Origin = NodeStatus['quorum']['origins'][number]
type Measure<T> = { readonly name: string; readonly help: string; readonly value: (of: T) => number }

const memberGauges: readonly Measure<Member>[] = [
  { name: 'blyan_validator_last_round', help: 'Newest round seen of a validator', value: one => one.lastRound },
  { name: 'blyan_validator_connected', help: 'Whether a validator is connected', value: one => Number(one.connected) },
  { name: 'blyan_validator_has_slot', help: 'Whether a validator has its slots', value: one => Number(one.hasSlot) },
  {
    name: 'blyan_validator_presence',
    help: 'Share of the last rounds a validator was in time for',
    value: one => one.presence ?? 1
  },
  {
    name: 'blyan_validator_waited_for',
    help: 'Whether rounds wait for a validator',
    value: one => Number(one.waitedFor)
  },
  {
    name: 'blyan_validator_late_seconds',
    help: 'How long after the quorum of its round a vertex comes',
    value: one => one.lateMs / 1000
  },
  { name: 'blyan_validator_offences', help: 'Proofs of signing twice on the chain', value: one => one.offences }
]

const originGauges: readonly Measure<Origin>[] = [
  { name: 'blyan_origin_weight', help: 'Votes of one origin or region', value: one => one.weight },
  {
    name: 'blyan_origin_stops_finality',
    help: 'Whether losing an origin or region stops finality',
    value: one => Number(one.stopsFinality)
  },
  {
    name: 'blyan_origin_stops_ordering',
    help: 'Whether losing an origin or region stops ordering',
    value: one => Number(one.stopsOrdering)
  }
]

const expertGauges: readonly Measure<ExpertsStatus>[] = [
  { name: 'blyan_engine_resident_bytes', help: 'Memory of the engine', value: one => one.engine.residentBytes },
  { name: 'blyan_engine_mapped_bytes', help: 'Weights that are mapped', value: one => one.engine.mappedBytes },
  { name: 'blyan_engine_prepacked_bytes', help: 'Fast copies of weights', value: one => one.engine.prepackedBytes },
  {
    name: 'blyan_engine_cache_hit_ratio',
    help: 'Share of graph runs that found fast copies of their weights',
    value: one => one.engine.cacheHitRate ?? 0
  },
  {
    name: 'blyan_engine_restarts_total',
    help: 'Engines that had to be started again',
    value: one => one.engine.restarts
  },
  { name: 'blyan_answers_running', help: 'Answers being made', value: one => one.answers.running },
  { name: 'blyan_answers_waiting', help: 'Questions that wait for their turn', value: one => one.answers.waiting },
  { name: 'blyan_answers_total', help: 'Answers made', value: one => one.answers.made },
  { name: 'blyan_answer_tokens_total', help: 'Tokens of answers made', value: one => one.answers.tokens },
  { name: 'blyan_expert_calls_made_total', help: 'Calls to experts of other nodes', value: one => one.calls.made },
  { name: 'blyan_expert_calls_failed_total', help: 'Of these, that failed for good', value: one => one.calls.failed },
  {
    name: 'blyan_expert_rows_elsewhere_total',
    help: 'Rows others were asked for',
    value: one => one.calls.rowsElsewhere
  },
  { name: 'blyan_expert_calls_served_total', help: 'Calls answered for other nodes', value: one => one.calls.served },
  { name: 'blyan_expert_rows_served_total', help: 'Rows computed for other nodes', value: one => one.calls.rowsServed },
  { name: 'blyan_expert_calls_refused_total', help: 'Calls of other nodes refused', value: one => one.calls.refused },
  { name: 'blyan_experts_held', help: 'Experts that this node holds', value: one => one.kept.held },
  { name: 'blyan_experts_held_bytes', help: 'Size of the experts held', value: one => one.kept.heldBytes },
  { name: 'blyan_experts_bytes_max', help: 'Disk for experts', value: one => one.kept.bytesMax },
  { name: 'blyan_experts_fetched_total', help: 'Experts fetched to stay', value: one => one.kept.fetched },
  { name: 'blyan_experts_dropped_total', help: 'Experts dropped', value: one => one.kept.dropped },
  { name: 'blyan_expert_holders', help: 'Other nodes known to hold experts', value: one => one.holders }
]

/** All of them are there with zero from the start: an alert on a rate misses the first of a counter that appears with it. */
const transitionKinds: readonly TransitionKind[] = [
  'state',
  'quorum-final',
  'quorum-degraded',
  'quorum-stopped',
  'member-connected',
  'member-lost',
  'slots-lost',
  'slots-regained',
  'offence',
  'diverged',
  'recovering',
  'recovered',
  'epoch-begun',
  'catch-up-begun',
  'catch-up-ended',
  'state-sync-begun',
  'state-sync-ended'
]

class PrometheusMetrics implements NodeMetrics {
  readonly #registry = new Registry()
  readonly #gauges = new Map<string, Gauge<string>>()
  readonly #finality: Histogram<string>
  readonly #transitions: Counter<string>
  readonly #labelled = new Map<string, Gauge<string>>()

  constructor() {
    collectDefaultMetrics({ register: this.#registry })
    this.#finality = new Histogram({
      name: 'blyan_event_finality_seconds',
      help: 'From submission here to finality',
      buckets: [0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3, 0.5, 1, 2, 5],
      registers: [this.#registry]
    })
    this.#transitions = new Counter({
      name: 'blyan_transitions_total',
      help: 'Changes of the node and its quorum, by kind',
      labelNames: ['kind'],
      registers: [this.#registry]
    })
    for (const kind of transitionKinds) this.#transitions.inc({ kind }, 0)
  }

  observeFinality(elapsedMs: number): void {
    this.#finality.observe(elapsedMs / 1000)
  }

  countTransition(kind: TransitionKind): void {
    this.#transitions.inc({ kind })
  }

  async text(
    status: NodeStatus,
    memory: { vertices: number; suspended: number; wanted: number },
    learning?: LearningStatus
  ): Promise<string> {
    const { quorum, events, checkpoint, chains, disk } = status
    this.#set('blyan_ready', 'Whether the node does its work', status.ready ? 1 : 0)
    this.#set(
      'blyan_quorum_orders',
      'Whether enough validators are there to order events',
      quorum.mode === 'stopped' ? 0 : 1
    )
    this.#set(
      'blyan_quorum_finalises',
      'Whether enough validators are there to make events final',
      quorum.mode === 'final' ? 1 : 0
    )
    this.#set('blyan_epoch', 'Epoch of the validator set', quorum.epoch)
    this.#set('blyan_diverged', 'Our state differs from what the others signed', status.divergence === null ? 0 : 1)
    this.#set(
      'blyan_signer_recovering',
      'The validator key waits for the others to say what it signed',
      status.recovery === null ? 0 : 1
    )
    this.#set('blyan_syncing', 'Whether the node is catching up', status.sync === null ? 0 : 1)
    this.#set(
      'blyan_sync_commits_behind',
      'Commits still to fetch',
      status.sync === null ? 0 : Math.max(0, status.sync.targetCommit - status.sync.commit)
    )
    this.#set(
      'blyan_sync_bytes_behind',
      'Bytes of a snapshot still to fetch',
      status.sync === null ? 0 : Math.max(0, status.sync.bytesTotal - status.sync.bytesDone)
    )
    this.#set('blyan_alarms', 'Alarms in the status', status.alarms.length)
    this.#set('blyan_round', 'Newest round with a quorum of vertices', quorum.round)
    this.#set('blyan_final_round', 'Round of the last commit', quorum.finalRound)
    this.#set('blyan_commits_total', 'Commits executed', quorum.commits)
    this.#set('blyan_validators', 'Validators of this epoch', quorum.validators)
    this.#set('blyan_validators_connected', 'Validators connected, this node among them', quorum.connected)
    this.#set('blyan_events_final_total', 'Events in the final order', events.final)
    this.#set('blyan_events_degraded', 'Events ordered and executed that are not final yet', events.degraded)
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
    for (const { name, help, value } of expertGauges) this.#set(name, help, value(status.experts))
    if (learning !== undefined)
      for (const { name, help, value } of learningMeasures) this.#set(name, help, value(learning))
    this.#quantiles(status.experts)
    this.#members(quorum.members)
    this.#origins(quorum.origins)
    return this.#registry.metrics()
  }

  /** Only of what was measured: a quantile of nothing is no zero. */
  #quantiles({ calls, answers }: ExpertsStatus): void {
    const measured = [
      ['blyan_expert_call_seconds', 'How long calls to other holders took of late', calls.latencyMs],
      ['blyan_answer_first_token_seconds', 'Time to the first token of late answers', answers.firstTokenMs]
    ] as const
    for (const [name, help, quantiles] of measured) {
      const gauge = this.#gauge(name, help, ['quantile'])
      if (quantiles === null) continue
      gauge.set({ quantile: '0.5' }, quantiles.p50 / 1000)
      gauge.set({ quantile: '0.95' }, quantiles.p95 / 1000)
      gauge.set({ quantile: '0.99' }, quantiles.p99 / 1000)
    }
  }

  #members(members: NodeStatus['quorum']['members']): void {
    // Members come and go with the epochs.
    for (const { name, help, value } of memberGauges) {
      const gauge = this.#gauge(name, help, ['validator'])
      gauge.reset()
      for (const member of members) gauge.set({ validator: member.name }, value(member))
    }
  }

  #origins(origins: NodeStatus['quorum']['origins']): void {
    for (const { name, help, value } of originGauges) {
      const gauge = this.#gauge(name, help, ['kind', 'name'])
      gauge.reset()
      for (const origin of origins) gauge.set({ kind: origin.kind, name: origin.name }, value(origin))
    }
  }

  #gauge(name: string, help: string, labelNames: string[]): Gauge<string> {
    let gauge = this.#labelled.get(name)
    if (gauge === undefined) {
      gauge = new Gauge({ name, help, labelNames, registers: [this.#registry] })
      this.#labelled.set(name, gauge)
    }
    return gauge
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
