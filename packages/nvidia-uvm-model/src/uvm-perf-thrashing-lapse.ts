import { declareState } from '@hmm/kernel/internal';
import type { UvmGlobal } from './uvm-global.js';

/** From this release on the lapse adapts. */
export const UVM_RELEASE_ADAPTIVE_LAPSE = 590;

/** The lapse that adapts, and how far, ns: only one left at its default does. */
const LAPSE_DEFAULT = 500_000;
const LAPSE_MAX = 1000 * LAPSE_DEFAULT;
const LAPSE_MIN = LAPSE_DEFAULT / 100;
/** Largest single step up, ns. */
const STEP_MAX = LAPSE_MAX / 10;

/** The lapse of a VA space: two events on a page closer than this count as thrashing. */
export class UvmThrashingLapse {
  /** What of it is state. */
  static readonly state = declareState({
    ns: 'value',
    votes: 'value',
    threshold: 'constant',
    adapts: 'constant',
  });

  /** The lapse in force, ns. The periods that were computed from it at load time do not follow. */
  ns: number;
  /** Votes so far for a longer lapse, less those against: a signed byte, which wraps. */
  votes = 0;
  private readonly threshold: number;
  private readonly adapts: boolean;

  constructor({ params, release, thrashing }: Pick<UvmGlobal, 'params' | 'release' | 'thrashing'>) {
    this.ns = thrashing.lapse;
    this.threshold = params.get('uvm_perf_lapse_vote_threshold');
    this.adapts = release >= UVM_RELEASE_ADAPTIVE_LAPSE && this.ns === LAPSE_DEFAULT;
  }

  /**
   * A hint is asked for, on a page whose last event is `since` ns ago. A negative count of votes is compared as an unsigned number
   * and so counts as a large one: every vote against lengthens the lapse by an eighth, like 32 votes for it, and only a lapse at its
   * maximum gets shorter (`adjust_thrashing_lapse`, which 580 has not).
   */
  vote(since: number): void {
    if (!this.adapts) return;
    this.votes = ((this.votes + (since < this.ns ? -1 : 1)) << 24) >> 24;
    const eighth = Math.floor(this.ns / 8);
    const many = this.votes >= this.threshold;
    if ((many || this.votes < 0) && this.ns < LAPSE_MAX) this.ns += Math.min(eighth, STEP_MAX);
    else if (many && this.ns > LAPSE_MIN) this.ns -= Math.max(eighth, LAPSE_MIN);
    else return;
    this.votes = (this.votes / 2) | 0;
  }
}
