import { defineTracepoint } from '@hmm/kernel';

/** A work item found faults; pages: records. */
export const TP_FAULT_BATCH = defineTracepoint('nouveau:svm_fault_batch');
/** A record was read; page: VPN; value: access code (0 read, 1 write, 2 atomic, 3 prefetch). */
export const TP_FAULT = defineTracepoint('nouveau:svm_fault', 'access code of gp100');
/** Pages were mapped on the GPU; value: `NVIF_VMM_PFNMAP_V0_*`. */
export const TP_PFNMAP = defineTracepoint('nouveau:pfnmap', 'NVIF_VMM_PFNMAP_V0 flags');
/** A fault began again; value: 0 for -EBUSY of the walk, 1 for a changed sequence. */
export const TP_RETRY = defineTracepoint(
  'nouveau:svm_fault_retry',
  '0 the walk was busy, 1 the sequence changed',
);
/** The replay command. */
export const TP_REPLAY = defineTracepoint('nouveau:svm_fault_replay');
/** The cancel command for a fault at a page; value: errno. */
export const TP_CANCEL = defineTracepoint('nouveau:svm_fault_cancel', 'errno');
/** Pages moved to device memory; value: bytes copied or cleared. */
export const TP_MIGRATE_TO_VRAM = defineTracepoint('nouveau:migrate_to_vram', 'bytes');
/** Pages moved to system memory; value: bytes copied. */
export const TP_MIGRATE_TO_RAM = defineTracepoint('nouveau:migrate_to_ram', 'bytes');
/** A chunk of device memory was added; page: first frame. */
export const TP_CHUNK = defineTracepoint('nouveau:dmem_chunk_alloc', 'chunks');
