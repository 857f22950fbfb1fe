import type { Prng } from '@hmm/kernel';
import type { FaultPath } from './fault-path.js';
import type { SmFaults } from './sm-faults.js';

/** SMs that share a texture processing cluster: they begin together. */
export type Tpc = readonly SmFaults[];

/** Under which circumstances SMs deliver their faults. */
export interface Delivery {
  /** The card's. */
  readonly path: FaultPath;
  /** A kernel has just started, or a replay has let pass what is mapped by now. */
  readonly when: 'start' | 'replay';
  readonly prng: Prng;
}

/** Receives the fault of `thread`, `ns` after the first one of all. */
export type FaultSink = (thread: number, ns: number) => void;

/**
 * Lets the SMs deliver their outstanding faults: the MMU takes from the graphics processing clusters by turns, and a cluster from
 * the SMs of those of its TPCs that have begun. When each begins is chance.
 */
export function deliverFaults(
  clusters: readonly (readonly Tpc[])[],
  delivery: Delivery,
  sink: FaultSink,
): void {
  const queues = clusters.map((tpcs) => new ClusterQueue(tpcs, delivery)).filter((queue) => queue.left > 0);
  const faultNs = delivery.path.faultNs.value;
  let ns = 0;
  let turn = 0;
  while (queues.length > 0) {
    const at = turn % queues.length;
    const queue = queues[at];
    if (queue === undefined) return;
    sink(queue.take(), ns);
    ns += faultNs;
    if (queue.left === 0) queues.splice(at, 1);
    turn = queue.left === 0 ? at : at + 1;
  }
}

/** The faults that one cluster has to deliver. */
class ClusterQueue {
  /** Faults not delivered. */
  left = 0;
  /** SMs with faults, in the order in which they begin, and after how many faults of the cluster each does. */
  private readonly sms: readonly SmFaults[];
  private readonly begins: Float64Array;
  private begun = 0;
  /** Faults that each SM has delivered, and the cluster, or would have while it waits for the next SM to begin. */
  private readonly sent: Int32Array;
  private delivered = 0;
  private turn = 0;

  constructor(tpcs: readonly Tpc[], delivery: Delivery) {
    const { prng } = delivery;
    const ready = tpcs.map((sms) => sms.filter((sm) => sm.waiting > 0)).filter((sms) => sms.length > 0);
    const drawn = ready.map((sms) => ({ sms, rank: rankOf(sms, delivery) }));
    drawn.sort((a, b) => a.rank - b.rank);
    const within = beginWithin(ready, delivery);
    const begins = Float64Array.from(drawn, () => prng.next() * within).sort();
    const first = begins[0] ?? 0;
    const all: SmFaults[] = [];
    this.begins = new Float64Array(drawn.reduce((sum, { sms }) => sum + sms.length, 0));
    for (let i = 0; i < drawn.length; i++) {
      for (const sm of drawn[i]?.sms ?? []) {
        this.begins[all.length] = (begins[i] ?? 0) - first;
        all.push(sm);
      }
    }
    this.sms = all;
    this.sent = new Int32Array(this.sms.length);
    for (const sm of this.sms) this.left += sm.waiting;
  }

  /** The thread whose fault comes next. */
  take(): number {
    for (;;) {
      while (this.begun < this.sms.length && (this.begins[this.begun] ?? 0) <= this.delivered) this.begun++;
      for (let tried = 0; tried < this.begun; tried++) {
        this.turn = (this.turn + 1) % this.begun;
        const sm = this.sms[this.turn];
        const at = this.sent[this.turn] ?? 0;
        if (sm === undefined || at === sm.waiting) continue;
        this.sent[this.turn] = at + 1;
        this.delivered++;
        this.left--;
        return sm.outstanding[at] ?? 0;
      }
      this.delivered = this.begins[this.begun] ?? 0;
    }
  }
}

function beginWithin(tpcs: readonly Tpc[], { path, when }: Delivery): number {
  const { apartPerTpc, startPerTpc, replay, replayPerSm } = path.begin;
  if (tpcs.length <= path.computeClusters.value) return tpcs.length * apartPerTpc.value;
  if (when === 'start') return tpcs.length * startPerTpc.value;
  const sms = tpcs.reduce((sum, tpc) => sum + tpc.length, 0);
  return replay.value + sms * replayPerSm.value;
}

/** The rank of a TPC among those of its cluster: chance at first, then about as before; faults that are new come last. */
function rankOf(sms: Tpc, { path, prng }: Delivery): number {
  const before = sms[0]?.rank ?? 0;
  const rank = Number.isNaN(before) ? prng.next() : before + (2 * prng.next() - 1) * path.rankDrift.value;
  for (const sm of sms) sm.rank = rank;
  return sms.every((sm) => sm.fresh) ? rank + 1 : rank;
}
