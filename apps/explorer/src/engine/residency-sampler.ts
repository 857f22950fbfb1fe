import type { Task } from '@hmm/kernel';
import { bytesMoved, type DeviceCounters } from '@hmm/device';
import type { Machine } from '@hmm/machine';
import { type ResidencyChanges, stateOfHolders } from '../tiles/residency-raster.js';
import { ChangeLog } from './change-log.js';
import type { MachineGpus } from './machine-gpus.js';
import type { CounterView, RegionView } from './run-view.js';

/** The counters that are plotted over time. */
const PLOTTED: readonly (Pick<CounterView, 'label' | 'unit'> & { of: (c: DeviceCounters) => number })[] = [
  { label: 'GPU faults', unit: 'count', of: (c) => c.faults },
  { label: 'remote accesses', unit: 'count', of: (c) => c.remoteAccesses },
  { label: 'to device', unit: 'KiB', of: (c) => bytesMoved(c, 'toDevice') / 1024 },
  { label: 'to host', unit: 'KiB', of: (c) => bytesMoved(c, 'toHost') / 1024 },
];

/** Virtual time between the first looks, ns. */
const FIRST_PERIOD = 1000;
/** Looks after which the time between them doubles: a longer run is looked at 256 times at least. */
const LOOKS_PER_PERIOD = 256;

/**
 * Watches where the pages of a machine's regions are: a daemon that looks again and again in virtual time and notes what
 * changed, as runs of pages. It only looks, so the run is the same with and without it.
 */
export class ResidencySampler {
  /** The regions seen so far, in display order. */
  readonly regions: RegionView[] = [];
  private readonly machine: Machine;
  private traced = -1;
  private readonly known = new Map<string, Uint8Array>();
  private now = new Uint32Array(0);
  private readonly log = new ChangeLog();
  private nextRow = 0;
  private readonly device: string;
  private readonly gpus: MachineGpus;
  private readonly looked: number[] = [];
  private readonly plotted: number[][] = PLOTTED.map(() => []);

  /** @param device whose counters are plotted. */
  constructor(machine: Machine, device: string, gpus: MachineGpus) {
    this.machine = machine;
    this.device = device;
    this.gpus = gpus;
  }

  /** The daemon's task. */
  *watch(): Task {
    let period = FIRST_PERIOD;
    for (;;) {
      for (let look = 0; look < LOOKS_PER_PERIOD; look++) {
        // Nothing goes to another place without an event.
        if (this.traced === this.machine.kernel.trace.length) this.count();
        else this.sample();
        yield* this.machine.kernel.sched.delay(period);
      }
      period *= 2;
    }
  }

  /** Looks once, now. */
  sample(): void {
    const { machine } = this;
    this.traced = machine.kernel.trace.length;
    this.count();
    for (const region of machine.regions.values()) {
      const known = this.knownOf(region.name, region.pages);
      const first = this.regions.find((view) => view.name === region.name)?.row ?? 0;
      if (this.now.length < region.pages) this.now = new Uint32Array(region.pages);
      this.gpus.holders(region, this.now);
      this.compare(known, first, region.pages);
    }
  }

  /** The counters at each look. */
  counters(): CounterView[] {
    const time = Float64Array.from(this.looked);
    return PLOTTED.map(({ label, unit }, at) => ({
      label,
      unit,
      time,
      value: Float64Array.from(this.plotted[at] ?? []),
    }));
  }

  private count(): void {
    const counters = this.machine.counters(this.device);
    this.looked.push(this.machine.kernel.sched.now);
    for (const [at, { of }] of PLOTTED.entries()) this.plotted[at]?.push(of(counters));
  }

  /** What was noted. */
  changes(): ResidencyChanges {
    return this.log.changes();
  }

  /** Rows of the map: pages of all regions. */
  get totalRows(): number {
    return this.nextRow;
  }

  private knownOf(name: string, pages: number): Uint8Array {
    const seen = this.known.get(name);
    if (seen !== undefined) return seen;
    const fresh = new Uint8Array(pages);
    this.known.set(name, fresh);
    this.regions.push({ name, row: this.nextRow, pages });
    this.nextRow += pages;
    return fresh;
  }

  private compare(known: Uint8Array, firstRow: number, pages: number): void {
    for (let page = 0; page < pages;) {
      const state = stateOfHolders(this.now[page] ?? 0);
      if (state === known[page]) {
        page++;
        continue;
      }
      const begin = page;
      while (page < pages && stateOfHolders(this.now[page] ?? 0) === state && known[page] !== state)
        known[page++] = state;
      this.log.note(this.machine.kernel.sched.now, firstRow + begin, page - begin, state);
    }
  }
}
