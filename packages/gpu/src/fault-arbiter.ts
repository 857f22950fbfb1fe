import type { Prng } from '@hmm/kernel';
import type { SmFaults } from './sm-faults.js';

/** ns from one fault to the next: the MMU's pace, whoever asks. 256 faults take 5.2 to 5.3 µs. */
const FAULT_NS = 20.8;
/** Compute clusters of a cluster: TPCs that each have one to themselves wait less for each other. */
const CPCS = 3;
/**
 * Faults of a cluster within which its TPCs begin to deliver theirs: for each TPC that has some when a kernel starts, and where
 * each has a compute cluster to itself; after a replay, when what is mapped by now passes first, so many and for each SM more.
 */
const BEGIN_WITHIN = { startPerTpc: 6, apartPerTpc: 5, replay: 25, replayPerSm: 5 };
/** By how much a TPC's rank, between 0 and 1 at first, may change from one replay to the next. */
const RANK_DRIFT = 0.25;

/** SMs that share a texture processing cluster: they begin together. */
export type Tpc = readonly SmFaults[];

/** Receives the fault of `thread`, `ns` after the first one of all. */
export type FaultSink = (thread: number, ns: number) => void;

/**
 * Lets the SMs deliver their outstanding faults: the MMU takes from the graphics processing clusters by turns, and a cluster from
 * the SMs of those of its TPCs that have begun. When each begins is chance.
 */
export function deliverFaults(
  clusters: readonly (readonly Tpc[])[],
  when: 'start' | 'replay',
  prng: Prng,
  sink: FaultSink,
): void {
  const queues = clusters.map((tpcs) => new ClusterQueue(tpcs, when, prng)).filter((queue) => queue.left > 0);
  let ns = 0;
  let turn = 0;
  while (queues.length > 0) {
    const at = turn % queues.length;
    const queue = queues[at];
    if (queue === undefined) return;
    sink(queue.take(), ns);
    ns += FAULT_NS;
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

  constructor(tpcs: readonly Tpc[], when: 'start' | 'replay', prng: Prng) {
    const ready = tpcs.map((sms) => sms.filter((sm) => sm.waiting > 0)).filter((sms) => sms.length > 0);
    const drawn = ready.map((sms) => ({ sms, rank: rankOf(sms, prng) }));
    drawn.sort((a, b) => a.rank - b.rank);
    const within = beginWithin(ready, when);
    const begins = Float64Array.from(drawn, () => prng.next() * within).sort();
    const first = begins[0] ?? 0;
    this.sms = drawn.flatMap(({ sms }) => sms);
    this.begins = Float64Array.from(drawn.flatMap(({ sms }, i) => sms.map(() => (begins[i] ?? 0) - first)));
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

function beginWithin(tpcs: readonly Tpc[], when: 'start' | 'replay'): number {
  if (tpcs.length <= CPCS) return tpcs.length * BEGIN_WITHIN.apartPerTpc;
  if (when === 'start') return tpcs.length * BEGIN_WITHIN.startPerTpc;
  const sms = tpcs.reduce((sum, tpc) => sum + tpc.length, 0);
  return BEGIN_WITHIN.replay + sms * BEGIN_WITHIN.replayPerSm;
}

/** The rank of a TPC among those of its cluster: chance at first, then about as before; faults that are new come last. */
function rankOf(sms: Tpc, prng: Prng): number {
  const before = sms[0]?.rank ?? 0;
  const rank = Number.isNaN(before) ? prng.next() : before + (2 * prng.next() - 1) * RANK_DRIFT;
  for (const sm of sms) sm.rank = rank;
  return sms.every((sm) => sm.fresh) ? rank + 1 : rank;
}
