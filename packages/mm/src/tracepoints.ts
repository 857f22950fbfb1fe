import { defineTracepoint } from '@hmm/kernel';

/** A CPU access faulted; the page is the one accessed. @kernel arch/x86/include/asm/trace/exceptions.h page_fault_user */
export const TP_PAGE_FAULT_USER = defineTracepoint('exceptions:page_fault_user', '2 * mm id + 1 for a write');
/** Reclaim wrote a page to its swap slot; the page is its frame. @kernel include/trace/events/vmscan.h mm_vmscan_write_folio */
export const TP_VMSCAN_WRITE_FOLIO = defineTracepoint('vmscan:mm_vmscan_write_folio', 'swap slot');
/** Small pages were made a huge one, or not. @kernel include/trace/events/huge_memory.h mm_collapse_huge_page */
export const TP_COLLAPSE_HUGE_PAGE = defineTracepoint('huge_memory:mm_collapse_huge_page', '0 or an errno');
