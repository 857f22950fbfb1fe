import { defineTracepoint } from '@hmm/kernel';
import {
  EVENT_BATCH,
  EVENT_CANCELLED,
  EVENT_DEVICE_FAULT,
  EVENT_MAPPED_REMOTE,
  EVENT_OTHER,
  EVENT_REPLAY,
  EVENT_RETRY,
  EVENT_TO_DEVICE,
  EVENT_TO_HOST,
} from '@hmm/kernel/internal';

/** A work item found faults; pages: records. */
export const TP_FAULT_BATCH = defineTracepoint('nouveau:svm_fault_batch', {
  value: '',
  means: EVENT_BATCH,
  says: 'the work item has read the records that were in the ring',
  text: (_value, pages) => `${pages} record${pages === 1 ? '' : 's'}`,
});
/** A record was read; page: VPN; value: access code (0 read, 1 write, 2 atomic, 3 prefetch). */
export const TP_FAULT = defineTracepoint('nouveau:svm_fault', {
  value: 'access code of gp100',
  means: EVENT_DEVICE_FAULT,
  says: 'the driver serves a fault record of the GPU',
  text: (value) => ['read', 'write', 'atomic', 'prefetch'][value] ?? '',
});
/** Pages were mapped on the GPU; value: `NVIF_VMM_PFNMAP_V0_*`. */
export const TP_PFNMAP = defineTracepoint('nouveau:pfnmap', {
  value: 'NVIF_VMM_PFNMAP_V0 flags',
  means: EVENT_MAPPED_REMOTE,
  says: 'pages are mapped on the GPU where they are',
});
/** A fault began again; value: 0 for -EBUSY of the walk, 1 for a changed sequence. */
export const TP_RETRY = defineTracepoint('nouveau:svm_fault_retry', {
  value: '0 the walk was busy, 1 the sequence changed',
  means: EVENT_RETRY,
  says: 'what was read of the page tables is stale, and is read again',
  text: (value) => (value === 0 ? 'the walk was busy' : 'the sequence had changed'),
});
/** The replay command. */
export const TP_REPLAY = defineTracepoint('nouveau:svm_fault_replay', {
  value: '',
  means: EVENT_REPLAY,
  says: 'the GPU is told to do the waiting accesses again',
});
/** The cancel command for a fault at a page; value: errno. */
export const TP_CANCEL = defineTracepoint('nouveau:svm_fault_cancel', {
  value: 'errno',
  means: EVENT_CANCELLED,
  says: 'the fault cannot be served: its channel is killed',
});
/** Pages moved to device memory; value: bytes copied or cleared. */
export const TP_MIGRATE_TO_VRAM = defineTracepoint('nouveau:migrate_to_vram', {
  value: 'bytes',
  means: EVENT_TO_DEVICE,
  says: 'pages move to device memory since SVM_BIND asked for it',
  cause: () => 'user',
});
/** Pages moved to system memory; value: bytes copied. */
export const TP_MIGRATE_TO_RAM = defineTracepoint('nouveau:migrate_to_ram', {
  value: 'bytes',
  means: EVENT_TO_HOST,
  says: 'pages come home since the CPU touched them',
  cause: () => 'cpu-fault',
});
/** A chunk of device memory was added; page: first frame. */
export const TP_CHUNK = defineTracepoint('nouveau:dmem_chunk_alloc', {
  value: 'chunks',
  means: EVENT_OTHER,
  says: 'the driver takes another chunk of device memory',
});
/** Pages of device memory are free again; page: first frame. */
export const TP_PAGE_FREE = defineTracepoint('nouveau:dmem_page_free', {
  value: '',
  means: EVENT_OTHER,
  says: 'pages of device memory are free again',
});
