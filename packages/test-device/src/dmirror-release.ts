import { HmmError, HPAGE_PMD_NR, type Task } from '@hmm/kernel';
import {
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_WRITE,
  memunmapPages,
  migrateDeviceFinalize,
  migrateDevicePages,
  migrateDeviceRange,
  migratePfn,
  migratePfnToPage,
} from '@hmm/migrate';
import { allocPage } from '@hmm/mm';
import { accessFolio, allocHugePage, NO_PFN, copyHighpage } from '@hmm/mm/internal';
import type { DmirrorChunk, DmirrorDevice } from './dmirror-device.js';

/** Whether any page of a chunk is in use. */
export function inUse({ system }: DmirrorDevice, { pagemap }: DmirrorChunk): boolean {
  if (system.kernel.sched.observer !== undefined) {
    for (let i = 0; i < pagemap.nr; i++) accessFolio(system, pagemap.start + i, false);
  }
  return pagemap.live > 0;
}

/**
 * Brings all pages of a chunk home, wherever they are mapped.
 * @kernel lib/test_hmm.c dmirror_device_evict_chunk (without: allocations that wait for memory)
 */
export function* dmirrorDeviceEvictChunk(mdevice: DmirrorDevice, chunk: DmirrorChunk): Task {
  const { system } = mdevice;
  const { start, nr } = chunk.pagemap;
  if (!inUse(mdevice, chunk)) return;
  const src = new Int32Array(nr);
  const dst = new Int32Array(nr);
  yield* migrateDeviceRange(system, src, start, nr);
  for (let i = 0; i < nr; i++) {
    const slot = src[i] ?? 0;
    if ((slot & MIGRATE_PFN_MIGRATE) === 0) continue;
    const large = (slot & MIGRATE_PFN_COMPOUND) !== 0;
    const page = large ? allocHugePage(system) : allocPage(system);
    if (page === NO_PFN) continue;
    system.map.tryLock(page);
    const from = migratePfnToPage(slot);
    for (let part = 0; part < (large ? HPAGE_PMD_NR : 1); part++)
      copyHighpage(system, page + part, mdevice.backingPage(from + part));
    dst[i] = migratePfn(page) | (slot & (MIGRATE_PFN_WRITE | MIGRATE_PFN_COMPOUND));
  }
  yield* migrateDevicePages(system, src, dst, nr);
  yield* migrateDeviceFinalize(system, src, dst, nr);
}

/**
 * Drops all memory of a device, after bringing every page home. Waits for pages that could not be moved.
 * @throws HmmError `MACHINE_RESET` where the real driver kills the machine.
 * @kernel lib/test_hmm.c dmirror_device_remove_chunks (without: release of the physical addresses)
 */
export function* dmirrorDeviceRemoveChunks(mdevice: DmirrorDevice): Task {
  if (mdevice.parts > 0 && mdevice.does.releaseAfterSplitDies) {
    throw new HmmError('MACHINE_RESET', 'device memory is dropped while parts of a split folio are in use', {
      minor: mdevice.minor,
    });
  }
  for (const chunk of [...mdevice.chunks]) {
    chunk.remove = true;
    removeFreePages(mdevice, chunk);
    yield* dmirrorDeviceEvictChunk(mdevice, chunk);
    yield* memunmapPages(mdevice.system, chunk.pagemap);
  }
  mdevice.chunks.length = 0;
  mdevice.freePages = NO_PFN;
  mdevice.freeFolios = NO_PFN;
  mdevice.parts = 0;
  mdevice.calloc = 0;
  mdevice.cfree = 0;
}

/**
 * Takes a chunk's pages off the stack. Only the top moves past them: what lies under another chunk's page stays, which
 * does no harm as all chunks go together. @kernel lib/test_hmm.c dmirror_remove_free_pages (all)
 */
function removeFreePages(mdevice: DmirrorDevice, chunk: DmirrorChunk): void {
  mdevice.freePages = passOver(mdevice, chunk, mdevice.freePages);
  mdevice.freeFolios = passOver(mdevice, chunk, mdevice.freeFolios);
}

/** The top of a stack, moved past the last page of `chunk`. */
function passOver({ system }: DmirrorDevice, chunk: DmirrorChunk, first: number): number {
  const { map } = system;
  const { start, nr } = chunk.pagemap;
  let top = first;
  for (let page = first; page !== NO_PFN; page = map.private[page] ?? NO_PFN) {
    if (page >= start && page < start + nr) top = map.private[page] ?? NO_PFN;
  }
  return top;
}
