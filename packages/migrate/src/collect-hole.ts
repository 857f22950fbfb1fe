import { HPAGE_PMD_NR } from '@hmm/kernel';
import { MIGRATE_PFN_COMPOUND, MIGRATE_PFN_MIGRATE, MIGRATE_VMA_SELECT_COMPOUND } from './migrate-pfn.js';
import type { MigrateVma } from './migrate-vma.js';

/**
 * The pages [start, end) where nothing is: a slot for each, or, where huge pages are asked for, one for each whole 2 MiB.
 * @kernel mm/migrate_device.c migrate_vma_collect_hole (all)
 */
export function collectHole(args: MigrateVma, start: number, end: number): void {
  const { vma } = args;
  if (!vma.isAnonymous()) {
    collectSkip(args, end - start);
    return;
  }
  const compound =
    (args.flags & MIGRATE_VMA_SELECT_COMPOUND) !== 0 &&
    vma.mm.kernel.does.collectsHugeHoles &&
    (end - start) % HPAGE_PMD_NR === 0 &&
    start % HPAGE_PMD_NR === 0;
  if (compound) {
    for (let at = start; at < end; at += HPAGE_PMD_NR) {
      const slot = args.npages;
      collectSkip(args, HPAGE_PMD_NR);
      args.src[slot] = MIGRATE_PFN_MIGRATE | MIGRATE_PFN_COMPOUND;
      args.cpages++;
    }
    return;
  }
  const from = args.npages;
  const pages = end - start;
  args.src.fill(MIGRATE_PFN_MIGRATE, from, from + pages);
  args.dst.fill(0, from, from + pages);
  args.npages += pages;
  args.cpages += pages;
}

/** Pages that are not migrated. @kernel mm/migrate_device.c migrate_vma_collect_skip (all) */
export function collectSkip(args: MigrateVma, pages: number): void {
  const from = args.npages;
  args.src.fill(0, from, from + pages);
  args.dst.fill(0, from, from + pages);
  args.npages += pages;
}
