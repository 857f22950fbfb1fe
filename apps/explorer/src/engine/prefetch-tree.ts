import type { RunView } from './run-view.js';
import type { PrefetchTreeView, TreeLevel } from './why-view.js';
import { unpackUvmEvent } from '@hmm/nvidia-uvm-model';

/** Pages of a block: 2 MiB. */
const BLOCK_PAGES = 512;
/** Pages of a region that is always fetched whole: 64 KiB. */
const BIG_PAGES = 16;
/** `uvm_perf_prefetch_threshold`, percent, as the driver has it by default. */
const DEFAULT_THRESHOLD = 51;

const RESIDENT = 1;
const FAULTED = 2;
const TAKEN = 3;

/**
 * The prefetcher's tree over the block of a fault, drawn from the run's events: what was resident when the batch came, what
 * faulted, what was taken along; and the share of each node on the way from the page to the root.
 * @uvm uvm_perf_prefetch.c compute_prefetch_mask
 */
export function treeOf(
  run: RunView,
  fault: number,
  since: number,
  until: number,
  settings: ReadonlyMap<string, string>,
): PrefetchTreeView | undefined {
  if (settings.get('uvm_perf_prefetch_enable') === '0') return undefined;
  const threshold = Number(settings.get('uvm_perf_prefetch_threshold') ?? DEFAULT_THRESHOLD);
  const { events, regions } = run;
  const row = events.row[fault] ?? -1;
  const region = regions.find((r) => row >= r.row && row < r.row + r.pages);
  if (region === undefined) return undefined;
  const start = region.row + Math.floor((row - region.row) / BLOCK_PAGES) * BLOCK_PAGES;
  const pages = Math.min(BLOCK_PAGES, region.row + region.pages - start);
  const leaves = new Uint8Array(pages);
  paintResident(run, since, start, leaves);
  const before = leaves.slice();
  paintBatch(run, since, until, start, leaves);
  const faulted = row - start;
  if (leaves[faulted] === 0) leaves[faulted] = FAULTED;
  const levels = levelsOf(grown(before, leaves), faulted, threshold);
  return { threshold, pages, faulted, leaves, levels };
}

/** What had moved to the GPU, and not back, when the batch began. */
function paintResident(run: RunView, since: number, start: number, leaves: Uint8Array): void {
  const { events } = run;
  for (let i = 0; i < since; i++) {
    if (run.kinds[events.kind[i] ?? 0] !== 'uvm:Migration') continue;
    const { dst } = unpackUvmEvent(events.value[i] ?? 0);
    paint(leaves, (events.row[i] ?? -1) - start, events.pages[i] ?? 0, dst === 1 ? RESIDENT : 0);
  }
}

function paintBatch(run: RunView, since: number, until: number, start: number, leaves: Uint8Array): void {
  const { events } = run;
  for (let i = since; i < until; i++) {
    const kind = run.kinds[events.kind[i] ?? 0];
    const at = (events.row[i] ?? -1) - start;
    if (kind === 'uvm:Migration') {
      for (let page = at; page < at + (events.pages[i] ?? 0); page++) {
        if (page >= 0 && page < leaves.length && leaves[page] === 0) leaves[page] = TAKEN;
      }
    }
  }
  for (let i = since; i < until; i++) {
    if (run.kinds[events.kind[i] ?? 0] === 'uvm:GpuFault')
      paint(leaves, (events.row[i] ?? -1) - start, 1, FAULTED);
  }
}

function paint(leaves: Uint8Array, first: number, pages: number, value: number): void {
  for (let page = Math.max(0, first); page < Math.min(leaves.length, first + pages); page++)
    leaves[page] = value;
}

/** The bitmap that the tree counts: resident or faulted, each 64 KiB with a fault in it whole. */
function grown(before: Uint8Array, leaves: Uint8Array): Uint8Array {
  const bitmap = Uint8Array.from(before, (leaf) => (leaf === RESIDENT ? 1 : 0));
  for (let page = 0; page < leaves.length; page++) {
    if (leaves[page] !== FAULTED) continue;
    const first = page - (page % BIG_PAGES);
    bitmap.fill(1, first, Math.min(first + BIG_PAGES, bitmap.length));
  }
  return bitmap;
}

function levelsOf(bitmap: Uint8Array, faulted: number, threshold: number): TreeLevel[] {
  const levels: TreeLevel[] = [];
  for (let size = 1; ; size *= 2) {
    const first = faulted - (faulted % size);
    const outer = Math.min(first + size, bitmap.length);
    let set = 0;
    for (let page = first; page < outer; page++) set += bitmap[page] ?? 0;
    levels.push({ first, pages: outer - first, set, dense: set * 100 > (outer - first) * threshold });
    if (size >= bitmap.length) return levels;
  }
}
