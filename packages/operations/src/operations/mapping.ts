import type { ManagedMemory } from '@hmm/device';
import { EINVAL } from '@hmm/kernel';
import {
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_DOFORK,
  MADV_DONTFORK,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_GUARD_INSTALL,
  MADV_GUARD_REMOVE,
  MADV_HUGEPAGE,
  MADV_NOHUGEPAGE,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  sysMadvise,
  sysMlock,
  sysMprotect,
  sysMremap,
  sysMunlock,
  sysMunmap,
} from '@hmm/mm';
import type { OperationContext } from '../context.js';
import { operation } from '../definition.js';
import type { PageRange } from '../memory-region.js';
import { impossible, type Outcome, returned } from '../outcome.js';
import { move, pages } from '../parts/ranges.js';
import { flag, oneOf, protection } from '../parts/words.js';
import { line } from '../recorded/line.js';
import { SHOWS_ERRNO } from '../recorded/shown.js';
import { PROT } from './allocation.js';

/** `munmap a`: unmaps pages. Memory of a driver is freed whole, and in part where the driver can. */
export const munmap = operation({
  kind: 'munmap',
  summary: 'Unmaps pages.',
  parts: [pages],
  results: true,
  side: 'cpu',
  *run(context, { range }) {
    if (isManaged(range)) {
      const managed = managedOf(context, range);
      const whole = range.pages === range.region?.pages;
      if (managed !== undefined && whole) return returned(yield* managed.free(range.vpn));
      if (managed?.syscall === undefined) return notOfManaged(range, 'munmap');
      return returned(yield* managed.syscall('munmap', range.vpn, range.pages));
    }
    return returned(yield* sysMunmap(context.process.mm, range.vpn, range.pages));
  },
  returns: 'errno',
  recorded: [line('munmap', [pages], {}, SHOWS_ERRNO)],
});

/** `mprotect a r`: changes what the process may do with pages. */
export const mprotect = operation({
  kind: 'mprotect',
  summary: 'Changes what the process may do with pages.',
  parts: [pages, protection],
  results: true,
  side: 'cpu',
  *run(context, { range, protection: letters }) {
    if (isManaged(range)) {
      const managed = managedOf(context, range);
      if (managed?.syscall === undefined) return notOfManaged(range, 'mprotect');
      return returned(yield* managed.syscall('mprotect', range.vpn, range.pages, letters));
    }
    return returned(yield* sysMprotect(context.process.mm, range.vpn, range.pages, PROT[letters]));
  },
  returns: 'errno',
  recorded: [line('mprotect', [pages, protection], {}, SHOWS_ERRNO)],
});

/** `mremap a[0..4] to b`: moves pages to another place, over what is there; `dontunmap`: the old place stays mapped, empty. */
export const mremap = operation({
  kind: 'mremap',
  summary: 'Moves pages to another place, into a region that is there or into a new one.',
  parts: [move, flag('dontunmap', 'dontunmap')],
  results: true,
  side: 'cpu',
  *run(context, { range, to, dontunmap }) {
    const { vpn, pages: count } = range;
    const managed = isManaged(range) ? managedOf(context, range) : undefined;
    if (managed?.syscall !== undefined) return returned(yield* managed.syscall('mremap', vpn, count));
    const flags = MREMAP_MAYMOVE | MREMAP_FIXED | (dontunmap ? MREMAP_DONTUNMAP : 0);
    return returned(yield* sysMremap(context.process.mm, vpn, count, count, flags, to.vpn));
  },
  returns: 'errno',
  recorded: [line('mremap', [move], { dontunmap: false }, SHOWS_ERRNO)],
});

/** Advice to the kernel. */
export type Madvice =
  | 'dontneed'
  | 'free'
  | 'pageout'
  | 'hugepage'
  | 'nohugepage'
  | 'collapse'
  | 'cold'
  | 'populate_read'
  | 'populate_write'
  | 'guard_install'
  | 'guard_remove'
  | 'dontfork'
  | 'dofork';

const ADVICE: Readonly<Record<Madvice, number>> = {
  dontneed: MADV_DONTNEED,
  free: MADV_FREE,
  pageout: MADV_PAGEOUT,
  hugepage: MADV_HUGEPAGE,
  nohugepage: MADV_NOHUGEPAGE,
  collapse: MADV_COLLAPSE,
  cold: MADV_COLD,
  populate_read: MADV_POPULATE_READ,
  populate_write: MADV_POPULATE_WRITE,
  guard_install: MADV_GUARD_INSTALL,
  guard_remove: MADV_GUARD_REMOVE,
  dontfork: MADV_DONTFORK,
  dofork: MADV_DOFORK,
};

const advice = oneOf('advice', [
  'dontneed',
  'free',
  'pageout',
  'hugepage',
  'nohugepage',
  'collapse',
  'cold',
  'populate_read',
  'populate_write',
  'guard_install',
  'guard_remove',
  'dontfork',
  'dofork',
]);

/** `madvise a dontneed`: advice to the kernel about pages. */
export const madvise = operation({
  kind: 'madvise',
  summary: 'Gives the kernel advice about pages.',
  parts: [pages, advice],
  results: true,
  side: 'cpu',
  *run(context, { range, advice: word }) {
    if (isManaged(range)) return notOfManaged(range, 'madvise');
    return returned(yield* sysMadvise(context.process.mm, range.vpn, range.pages, ADVICE[word]));
  },
  returns: 'errno',
  recorded: [line('madvise', [pages, advice], {}, SHOWS_ERRNO)],
});

/** `mlock a`: keeps pages in memory. */
export const mlock = operation({
  kind: 'mlock',
  summary: 'Faults pages in and keeps them in memory.',
  parts: [pages],
  results: true,
  side: 'cpu',
  *run(context, { range }) {
    if (isManaged(range)) return notOfManaged(range, 'mlock');
    return returned(yield* sysMlock(context.process.mm, range.vpn, range.pages));
  },
  returns: 'errno',
  recorded: [line('mlock', [pages], {}, SHOWS_ERRNO)],
});

/** `munlock a`: the kernel may reclaim the pages again. */
export const munlock = operation({
  kind: 'munlock',
  summary: 'Lets the kernel reclaim pages again that mlock kept.',
  parts: [pages],
  results: true,
  side: 'cpu',
  *run(context, { range }) {
    if (isManaged(range)) return notOfManaged(range, 'munlock');
    return returned(yield* sysMunlock(context.process.mm, range.vpn, range.pages));
  },
  returns: 'errno',
  recorded: [line('munlock', [pages], {}, SHOWS_ERRNO)],
});

/** Whether a driver allocated the pages. */
export function isManaged(range: PageRange): boolean {
  return range.region?.managedBy !== undefined;
}

/** The driver whose memory the pages are, as the process has it open. */
export function managedOf(context: OperationContext, range: PageRange): ManagedMemory | undefined {
  const name = range.region?.managedBy;
  return name === undefined ? undefined : context.opened(name)?.managed;
}

/** A system call that does not reach memory of a driver. */
export function notOfManaged(range: PageRange, call: string): Outcome {
  return impossible(
    -EINVAL,
    `${range.region?.name ?? 'this'} is managed memory: ${call} does not apply to it`,
  );
}

/** The operations of this file. */
export const MAPPING_OPERATIONS = [munmap, mprotect, mremap, madvise, mlock, munlock] as const;
