/** The process's range is unmapped: munmap, mremap's old range, exit. */
export const MMU_NOTIFY_UNMAP = 0;
/** Page-table entries go away or change the page they name: zap, COW copy, reclaim, PMD split. */
export const MMU_NOTIFY_CLEAR = 1;
/** `mprotect`. */
export const MMU_NOTIFY_PROTECTION_VMA = 2;
/** Write permission is taken from pages: fork of a COW mapping, write-back. */
export const MMU_NOTIFY_PROTECTION_PAGE = 3;
/** Soft-dirty tracking is restarted. */
export const MMU_NOTIFY_SOFT_DIRTY = 4;
/** The address space is torn down. */
export const MMU_NOTIFY_RELEASE = 5;
/** Pages are migrated to or from device memory; carries the owner of that memory. */
export const MMU_NOTIFY_MIGRATE = 6;
/** An exclusive-access entry is made (with its owner) or, before 6.15, removed (without). */
export const MMU_NOTIFY_EXCLUSIVE = 7;

/** One of the `MMU_NOTIFY_*` numbers: `enum mmu_notifier_event`. */
export type MmuNotifierEvent = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;

const EVENT_NAMES = [
  'UNMAP',
  'CLEAR',
  'PROTECTION_VMA',
  'PROTECTION_PAGE',
  'SOFT_DIRTY',
  'RELEASE',
  'MIGRATE',
  'EXCLUSIVE',
] as const;

/** The kernel's word for an event number, without its `MMU_NOTIFY_` prefix: `'CLEAR'` for 1. */
export function mmuNotifierEventName(event: number): string {
  return EVENT_NAMES[event] ?? String(event);
}
