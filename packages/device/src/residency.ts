/** Bits that {@link DeviceProcess.residency} answers with, one byte a page. */
export const RES_CPU = 1;
/** The data (or a valid copy) is in device memory. */
export const RES_DEVICE = 2;
/** The CPU's page table maps it. */
export const RES_CPU_MAPPED = 4;
/** The device's page table maps it, wherever the data is. */
export const RES_DEVICE_MAPPED = 8;
/** The device's mapping is writable. */
export const RES_DEVICE_WRITE = 16;
