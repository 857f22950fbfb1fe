import type { ClientFactory } from '@hmm/device';
import { EVENT_DEVICE_FAULT, EVENT_TO_DEVICE, EVENT_TO_HOST, type EventMeaning } from '@hmm/kernel/internal';
import { meaningOfKind } from './event-info.js';
import type { RunView } from './run-view.js';
import type { PrefetchTreeView } from './why-view.js';

/** Pages of a block: 2 MiB. */
const BLOCK_PAGES = 512;
const RESIDENT = 1;
const FAULTED = 2;
const TAKEN = 3;

/**
 * The driver's tree over the 2 MiB of a fault, from the run's events: what was resident when the batch came, what faulted, what
 * was taken along; and the share of each node on the way from the page to the root. undefined where the driver has none.
 */
export function treeOf(
  run: RunView,
  factory: ClientFactory,
  settings: ReadonlyMap<string, string>,
  { fault, since, until }: { readonly fault: number; readonly since: number; readonly until: number },
): PrefetchTreeView | undefined {
  if (factory.prefetchTree === undefined) return undefined;
  const { events, regions } = run;
  const row = events.row[fault] ?? -1;
  const region = regions.find((r) => row >= r.row && row < r.row + r.pages);
  if (region === undefined) return undefined;
  const start = region.row + Math.floor((row - region.row) / BLOCK_PAGES) * BLOCK_PAGES;
  const pages = Math.min(BLOCK_PAGES, region.row + region.pages - start);
  const leaves = new Uint8Array(pages);
  paintResident(run, since, start, leaves);
  const resident = leaves.map((leaf) => (leaf === RESIDENT ? 1 : 0));
  paintBatch(run, since, until, start, leaves);
  const page = row - start;
  if (leaves[page] === 0) leaves[page] = FAULTED;
  const faulted = leaves.map((leaf) => (leaf === FAULTED ? 1 : 0));
  const tree = factory.prefetchTree({ resident, faulted, page, settings });
  return tree === undefined ? undefined : { ...tree, pages, faulted: page, leaves };
}

/** What had moved to the GPU, and not back, when the batch began. */
function paintResident(run: RunView, since: number, start: number, leaves: Uint8Array): void {
  const { events } = run;
  for (let i = 0; i < since; i++) {
    const meaning = meaningAt(run, i);
    if (meaning !== EVENT_TO_DEVICE && meaning !== EVENT_TO_HOST) continue;
    const leaf = meaning === EVENT_TO_DEVICE ? RESIDENT : 0;
    paint(leaves, (events.row[i] ?? -1) - start, events.pages[i] ?? 0, leaf);
  }
}

function paintBatch(run: RunView, since: number, until: number, start: number, leaves: Uint8Array): void {
  const { events } = run;
  for (let i = since; i < until; i++) {
    const meaning = meaningAt(run, i);
    const at = (events.row[i] ?? -1) - start;
    if (meaning === EVENT_TO_DEVICE || meaning === EVENT_TO_HOST) {
      for (let page = at; page < at + (events.pages[i] ?? 0); page++) {
        if (page >= 0 && page < leaves.length && leaves[page] === 0) leaves[page] = TAKEN;
      }
    }
  }
  for (let i = since; i < until; i++) {
    if (meaningAt(run, i) === EVENT_DEVICE_FAULT) paint(leaves, (events.row[i] ?? -1) - start, 1, FAULTED);
  }
}

function meaningAt(run: RunView, at: number): EventMeaning {
  return meaningOfKind(run.kinds[run.events.kind[at] ?? 0] ?? '', run.events.value[at] ?? 0);
}

function paint(leaves: Uint8Array, first: number, pages: number, value: number): void {
  for (let page = Math.max(0, first); page < Math.min(leaves.length, first + pages); page++)
    leaves[page] = value;
}
