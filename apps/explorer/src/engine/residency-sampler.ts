import type { Task } from '@hmm/kernel';
import {
  bytesMoved,
  cpuResident,
  type DeviceClient,
  type DeviceCounters,
  type Machine,
  RES_CPU,
  RES_DEVICE,
} from '@hmm/machine';
import type { ResidencyChanges } from '../tiles/residency-raster.js';
import type { CounterView, RegionView } from './run-view.js';

const INITIAL_CAPACITY = 1024;

/** The counters that are plotted over time. */
const PLOTTED: readonly { readonly label: string; readonly of: (c: DeviceCounters) => number }[] = [
  { label: 'GPU faults', of: (c) => c.faults },
  { label: 'KiB to device', of: (c) => bytesMoved(c, 'toDevice') / 1024 },
  { label: 'KiB to host', of: (c) => bytesMoved(c, 'toHost') / 1024 },
  { label: 'remote accesses', of: (c) => c.remoteAccesses },
];

/**
 * Watches where the pages of a machine's regions are: a daemon that looks every `period` ns of virtual time and notes
 * what changed, as runs of pages. It only looks, so the run is the same with and without it.
 */
export class ResidencySampler {
  /** The regions seen so far, in display order. */
  readonly regions: RegionView[] = [];
  private readonly machine: Machine;
  private readonly period: number;
  private readonly known = new Map<string, Uint8Array>();
  private now = new Uint8Array(0);
  private length = 0;
  private time = new Float64Array(INITIAL_CAPACITY);
  private row = new Uint32Array(INITIAL_CAPACITY);
  private rows = new Uint32Array(INITIAL_CAPACITY);
  private state = new Uint8Array(INITIAL_CAPACITY);
  private nextRow = 0;
  private readonly client: DeviceClient;
  private readonly looked: number[] = [];
  private readonly plotted: number[][] = PLOTTED.map(() => []);

  constructor(machine: Machine, client: DeviceClient, period: number) {
    this.machine = machine;
    this.client = client;
    this.period = period;
  }

  /** The daemon's task. */
  *watch(): Task {
    for (;;) {
      this.sample();
      yield* this.machine.kernel.sched.delay(this.period);
    }
  }

  /** Looks once, now. */
  sample(): void {
    const { machine } = this;
    this.count();
    for (const region of machine.regions.values()) {
      const known = this.knownOf(region.name, region.pages);
      const first = this.regions.find((view) => view.name === region.name)?.row ?? 0;
      if (this.now.length < region.pages) this.now = new Uint8Array(region.pages);
      this.now.fill(0, 0, region.pages);
      const process = machine.processes.get(region.process);
      const device = process?.devices.get(region.managedBy ?? machine.deviceNames()[0] ?? '');
      if (device !== undefined) device.residency(region.vpn, region.pages, this.now);
      else if (process !== undefined) {
        for (let page = 0; page < region.pages; page++) {
          if (cpuResident(process.mm, region.vpn + page)) this.now[page] = RES_CPU;
        }
      }
      this.compare(known, first, region.pages);
    }
  }

  /** The counters at each look. */
  counters(): CounterView[] {
    const time = Float64Array.from(this.looked);
    return PLOTTED.map(({ label }, at) => ({
      label,
      time,
      value: Float64Array.from(this.plotted[at] ?? []),
    }));
  }

  private count(): void {
    const counters = this.client.counters();
    this.looked.push(this.machine.kernel.sched.now);
    for (const [at, { of }] of PLOTTED.entries()) this.plotted[at]?.push(of(counters));
  }

  /** What was noted, trimmed. */
  changes(): ResidencyChanges {
    const n = this.length;
    return {
      length: n,
      time: this.time.slice(0, n),
      row: this.row.slice(0, n),
      rows: this.rows.slice(0, n),
      state: this.state.slice(0, n),
    };
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
    const bits = RES_CPU | RES_DEVICE;
    for (let page = 0; page < pages;) {
      const state = (this.now[page] ?? 0) & bits;
      if (state === known[page]) {
        page++;
        continue;
      }
      const begin = page;
      while (page < pages && ((this.now[page] ?? 0) & bits) === state && known[page] !== state)
        known[page++] = state;
      this.note(firstRow + begin, page - begin, state);
    }
  }

  private note(row: number, rows: number, state: number): void {
    const at = this.length;
    if (at === this.time.length) this.grow();
    this.time[at] = this.machine.kernel.sched.now;
    this.row[at] = row;
    this.rows[at] = rows;
    this.state[at] = state;
    this.length = at + 1;
  }

  private grow(): void {
    const capacity = this.time.length * 2;
    const { time, row, rows, state } = this;
    this.time = new Float64Array(capacity);
    this.row = new Uint32Array(capacity);
    this.rows = new Uint32Array(capacity);
    this.state = new Uint8Array(capacity);
    this.time.set(time);
    this.row.set(row);
    this.rows.set(rows);
    this.state.set(state);
  }
}
