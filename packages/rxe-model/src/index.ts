/**
 * Soft-RoCE with on-demand paging: an RDMA adapter that is made of work items, and whose page fault is a function call.
 * @packageDocumentation
 */
export * from './options.js';
export * from './rxe-device.js';
export * from './rxe-mr.js';
export { type OdpMr, rxeCheckPagefault, RxeMnOps, rxeOdpMapRangeAndLock } from './rxe-odp.js';
export { SheafCache } from './slab.js';
export * from './rxe-verbs.js';
export { RxeClient, RxeDriver, rxeFactory } from './rxe-client.js';
