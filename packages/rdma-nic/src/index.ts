/**
 * An RDMA adapter as hardware: what its queue pairs send, ask and answer, and what that costs. What is behind its keys is
 * a driver's.
 * @packageDocumentation
 */
export * from './access.js';
export * from './completion.js';
export * from './nic-memory.js';
export * from './queue-pair.js';
export { postReceive, postSend } from './rc.js';
export * from './timing.js';
export * from './work-request.js';
