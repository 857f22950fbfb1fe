/** `FAULT_FLAG_*` and `VM_FAULT_*`, with the kernel's values. @packageDocumentation */

/** The access writes. */
export const FAULT_FLAG_WRITE = 0x1;
/** The caller lets the fault drop mmap_lock, which `VM_FAULT_RETRY` says then. */
export const FAULT_FLAG_ALLOW_RETRY = 0x4;
/** The faulting process is not the running one: a driver's or a debugger's fault. */
export const FAULT_FLAG_REMOTE = 0x80;
/** A page is to be read through a pin: it must be this mapping's own. */
export const FAULT_FLAG_UNSHARE = 0x400;

export const VM_FAULT_OOM = 0x1;
export const VM_FAULT_SIGBUS = 0x2;
export const VM_FAULT_HWPOISON = 0x10;
export const VM_FAULT_SIGSEGV = 0x40;
/** mmap_lock was dropped: take it again and look anew. */
export const VM_FAULT_RETRY = 0x400;
/** The huge fault was not possible: go on with small pages. */
export const VM_FAULT_FALLBACK = 0x800;
/** Any of the bits that end an access. @kernel include/linux/mm_types.h VM_FAULT_ERROR */
export const VM_FAULT_ERROR = VM_FAULT_OOM | VM_FAULT_SIGBUS | VM_FAULT_HWPOISON | VM_FAULT_SIGSEGV;

/** Between two faults of one access that could not be served, ns: about what a fault takes. */
export const FAULT_REPEAT_NS = 1000;
