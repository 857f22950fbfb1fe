// What the packages beside this one use and no version promises anything about. Everything else comes from index.ts.
export { TEST_DEVICE_BEHAVIOURS } from './behaviours.js';
export { DPT_PRESENT, DPT_XA_TAG_ATOMIC, DPT_XA_TAG_WRITE, DeviceTable } from './device-table.js';
