/**
 * The RDMA core's on-demand paging: registered ranges that follow a process's page tables instead of pinning its pages.
 * @packageDocumentation
 */
export { BrokenRules } from './broken-rules.js';
export { calledBack, calledBackTask } from './called-back.js';
export { wronglyCopied } from './check-copy.js';
export * from './map-dma.js';
export { MmputQueue } from './mmput-async.js';
export * from './odp-invariants.js';
export * from './switches.js';
export {
  decodeMapValue,
  TP_COMPLETION,
  TP_PAGE_FAULT,
  TP_RESUME,
  TP_UMEM_ODP_MAP,
  TP_UMEM_ODP_RETRY,
  TP_UMEM_ODP_UNMAP,
} from './tracepoints.js';
export * from './umem-odp.js';
export * from './unmap-dma.js';
export * from './verbs.js';
export * from './rdma-client.js';
export * from './rdma-driver.js';
export { VERBS } from './rdma-operation.js';
export * from './rdma-verbs.js';
export * from './umem.js';
