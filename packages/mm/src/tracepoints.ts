import { defineTracepoint } from '@hmm/kernel';
import { EVENT_CPU_FAULT, EVENT_LANES, EVENT_OTHER } from '@hmm/kernel/internal';

/** A CPU access faulted; the page is the one accessed. @kernel arch/x86/include/asm/trace/exceptions.h page_fault_user */
export const TP_PAGE_FAULT_USER = defineTracepoint('exceptions:page_fault_user', {
  value: '2 * mm id + 1 for a write',
  // Served by the kernel: a fault that a driver serves is counted where the driver says so.
  means: EVENT_OTHER,
  says: 'an access of the CPU finds no entry that allows it',
  lane: EVENT_LANES[EVENT_CPU_FAULT] ?? '',
});
/** Reclaim wrote a page to its swap slot; the page is its frame. @kernel include/trace/events/vmscan.h mm_vmscan_write_folio */
export const TP_VMSCAN_WRITE_FOLIO = defineTracepoint('vmscan:mm_vmscan_write_folio', {
  value: 'swap slot',
  means: EVENT_OTHER,
  says: 'reclaim writes a page to swap',
});
/** Small pages were made a huge one, or not. @kernel include/trace/events/huge_memory.h mm_collapse_huge_page */
export const TP_COLLAPSE_HUGE_PAGE = defineTracepoint('huge_memory:mm_collapse_huge_page', {
  value: '0 or an errno',
  means: EVENT_OTHER,
  says: 'small pages are made one huge page',
  text: (value) => (value === 0 ? '' : 'it failed'),
});
