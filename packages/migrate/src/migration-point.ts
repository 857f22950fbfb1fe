import { SP_PREEMPT, type Task } from '@hmm/kernel';
import { migratePfn, migratePfnToPage } from './migrate-pfn.js';
import type { MigrateVma } from './migrate-vma.js';

/** Where a migration is: its pages are collected. */
export const COLLECTED = 0;
/** They are unmapped. */
export const UNMAPPED = 1;
/** They have moved. */
export const MOVED = 2;
/** The driver has given and copied pages. */
const COPIED = 3;

/**
 * A scheduling point of a migration, while exploring: of all that it has read since its first step, the slots are left. For drivers
 * that let others run between {@link migrateVmaSetup} and {@link migrateVmaFinalize}, and know nothing but the slots themselves.
 */
export function* migrationPoint(args: MigrateVma, where = COPIED): Task {
  if (args.vma.mm.kernel.sched.forgets) forgetAllButSlots(args, where);
  yield SP_PREEMPT;
}

function forgetAllButSlots(args: MigrateVma, where: number): void {
  const { src, dst, npages, cpages, faultPage, since = 0 } = args;
  const words = [where, npages, cpages];
  const frames = [faultPage];
  for (let i = 0; i < npages; i++) {
    for (const slot of [src[i] ?? 0, dst[i] ?? 0]) {
      const page = migratePfnToPage(slot);
      words.push(slot ^ migratePfn(page));
      frames.push(page);
    }
  }
  args.vma.mm.kernel.sched.forget(since, words, frames);
}
