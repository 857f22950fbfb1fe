import { type Figure, type GpuPreset, figure } from '@hmm/gpu';

/** What the driver's own work costs, ns. No figures of nouveau's SVM are published: these are built from others. */
export interface NouveauCost {
  /** From the fault interrupt to the work item's first look at the buffer. */
  readonly interrupt: Figure;
  /** Reading one fault record, nine reads and writes of instance memory through the BAR. */
  readonly record: Figure;
  /** One fault's walk: interval notifier in and out, mmap lock, `hmm_range_fault`, DMA mapping. */
  readonly rangeFault: Figure;
  /** One atomic fault's walk: as a fault's, and the page taken from the CPU, with its own notifiers and TLB flush. */
  readonly exclusive: Figure;
  /** Writing PTEs of one fault or one piece, and the TLB invalidation behind it. */
  readonly pfnmap: Figure;
  /** Clearing a range that had mappings, with its TLB invalidation. */
  readonly pfnclr: Figure;
  /** The replay or cancel command. */
  readonly command: Figure;
  /** Preparing one page of a migration: allocation, DMA mapping, a copy command. */
  readonly migratePage: Figure;
  /** The fence at the end of a piece: submission and busy wait, copies excluded. */
  readonly fence: Figure;
}

const NOTHING = figure(0, 'estimate', 'time is nothing where interleavings are explored');

/** Costs where interleavings are explored. */
export const NOUVEAU_NO_COST: NouveauCost = {
  interrupt: NOTHING,
  record: NOTHING,
  rangeFault: NOTHING,
  exclusive: NOTHING,
  pfnmap: NOTHING,
  pfnclr: NOTHING,
  command: NOTHING,
  migratePage: NOTHING,
  fence: NOTHING,
};

/** Costs on `preset`: the host's part scaled like the vendor driver's services, reads across the link by the link. */
export function nouveauCost(preset: GpuPreset): NouveauCost {
  const host = (ns: number, note: string): Figure =>
    figure(ns * preset.serviceScale.value, 'estimate', `${note}, scaled as services are on this host`);
  const bar = preset.access.remoteRead.value;
  return {
    interrupt: host(19600, "as the vendor driver's interrupt entry on the measured H100"),
    record: figure(9 * bar, 'estimate', 'nine accesses across the link'),
    rangeFault: host(2500, 'a walk of one page with its notifier'),
    exclusive: host(10000, 'a walk of one page, two notifier rounds and a TLB flush'),
    pfnmap: host(4000, 'page-table writes through the BAR and one TLB invalidation'),
    pfnclr: host(4000, 'as mapping'),
    command: host(1000, 'one MMU command'),
    migratePage: host(600, 'page allocation, DMA mapping and a pushbuffer entry'),
    fence: host(5000, 'submission and wake-up'),
  };
}
