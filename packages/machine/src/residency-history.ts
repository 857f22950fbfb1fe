import type { Task } from '@hmm/kernel';
import { cpuResidency, RES_CPU, RES_DEVICE } from '@hmm/device';
import type { Machine } from './machine.js';
import type { Region } from '@hmm/operations';

/** Looks kept at most; when there are so many, every other one is forgotten and the period doubles. */
const MAX_LOOKS = 256;
/** Rows of a region at most, and of all regions that there are when it is met; pages looked at in each. */
const MAX_ROWS = 64;
const ALL_ROWS = 128;
/** Regions that are followed: the first that were made. */
const MOST_REGIONS = 64;
const SAMPLES = 8;
/** Virtual time between two looks at first, ns. */
const FIRST_PERIOD = 1000;

/** Where the pages of one region were, over time. */
export interface RegionHistory {
  readonly region: Region;
  /** Rows, each an equal share of the pages. */
  readonly rows: number;
  /** One array a look, one byte a row: eighths of the sampled pages on the device (low 4 bits) and on the host (high 4). */
  readonly looks: readonly Uint8Array[];
}

/**
 * Where pages are over time, in bounded memory however long the run and however many regions: a daemon that looks at a few
 * pages of each of the first 64 regions, ever less often. It only looks: the run is the same without it.
 */
export class ResidencyHistory {
  /** Virtual time of each look, ns. */
  readonly times: number[] = [];
  private readonly histories = new Map<string, { region: Region; rows: number; looks: Uint8Array[] }>();
  private readonly machine: Machine;
  private period = FIRST_PERIOD;
  private readonly bits = new Uint8Array(1);

  constructor(machine: Machine) {
    this.machine = machine;
    machine.kernel.sched.spawnDaemon('residency history', this.watch());
  }

  /** What was seen, in the order in which the regions were made. */
  regions(): readonly RegionHistory[] {
    return [...this.histories.values()];
  }

  /** Looks once, now: also for the end of a run. */
  look(): void {
    const { machine, times } = this;
    if (times.length === MAX_LOOKS) this.thin();
    let followed = 0;
    for (const region of machine.regions.values()) {
      if (followed++ === MOST_REGIONS) break;
      const known = this.histories.get(region.name) ?? this.meet(region);
      known.looks.push(this.rowsOf(known.region, known.rows));
    }
    times.push(machine.kernel.sched.now);
  }

  private *watch(): Task {
    for (;;) {
      this.look();
      yield* this.machine.kernel.sched.delay(this.period);
    }
  }

  private thin(): void {
    this.period *= 2;
    const keep = (_: unknown, at: number): boolean => at % 2 === 0;
    this.times.splice(0, MAX_LOOKS, ...this.times.filter(keep));
    for (const history of this.histories.values()) history.looks = history.looks.filter(keep);
  }

  private meet(region: Region): { region: Region; rows: number; looks: Uint8Array[] } {
    const shared = Math.max(1, Math.floor(ALL_ROWS / this.machine.regions.size));
    const rows = Math.min(MAX_ROWS, shared, region.pages);
    const before = this.times.map(() => new Uint8Array(rows));
    const history = { region, rows, looks: before };
    this.histories.set(region.name, history);
    return history;
  }

  private rowsOf(region: Region, rows: number): Uint8Array {
    const look = new Uint8Array(rows);
    const each = region.pages / rows;
    const samples = Math.min(SAMPLES, Math.max(1, Math.floor(each)));
    for (let row = 0; row < rows; row++) {
      let device = 0;
      let host = 0;
      for (let i = 0; i < samples; i++) {
        const where = this.where(region, Math.floor((row + i / samples) * each));
        if ((where & RES_DEVICE) !== 0) device++;
        if ((where & RES_CPU) !== 0) host++;
      }
      const scale = SAMPLES / samples;
      look[row] = Math.round(device * scale) | (Math.round(host * scale) << 4);
    }
    return look;
  }

  private where(region: Region, page: number): number {
    const { machine, bits } = this;
    const process = machine.processes.get(region.process);
    const device = process?.devices.get(region.managedBy ?? machine.deviceNames()[0] ?? '');
    if (device !== undefined) {
      device.residency(region.vpn + page, 1, bits);
      return bits[0] ?? 0;
    }
    return process === undefined ? 0 : cpuResidency(process.mm, region.vpn + page);
  }
}
