export { SIGBUS, SIGSEGV, cpuAccess, cpuRead, cpuReadByte, cpuWrite, cpuWriteByte } from './access.js';
export { CensusMemory, framesInUse, takeCensus, type Census } from './census.js';
export {
  MEMORY_DEVICE_COHERENT,
  MEMORY_DEVICE_PRIVATE,
  type DevPagemap,
  type DevPagemapOps,
  type VmFault,
} from './dev-pagemap.js';
export { mmput } from './exit-mmap.js';
export {
  FAULT_FLAG_REMOTE,
  FAULT_FLAG_UNSHARE,
  FAULT_FLAG_WRITE,
  VM_FAULT_ERROR,
  VM_FAULT_FALLBACK,
  VM_FAULT_HWPOISON,
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
  VM_FAULT_SIGSEGV,
} from './fault.js';
export { dupMm } from './fork.js';
export {
  FOLL_FORCE,
  FOLL_GET,
  FOLL_LONGTERM,
  FOLL_PIN,
  FOLL_REMOTE,
  FOLL_SPLIT_PMD,
  FOLL_TOUCH,
  FOLL_WRITE,
  getUserPages,
  pinUserPages,
  unpinUserPage,
} from './gup.js';
export { handleMmFault } from './handle-mm-fault.js';
export { checkMm, mmInvariants } from './invariants.js';
export {
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_DOFORK,
  MADV_DONTFORK,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_GUARD_INSTALL,
  MADV_GUARD_REMOVE,
  MADV_HUGEPAGE,
  MADV_KEEPONFORK,
  MADV_NOHUGEPAGE,
  MADV_NORMAL,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_REMOVE,
  MADV_WILLNEED,
  MADV_WIPEONFORK,
  sysMadvise,
} from './madvise.js';
export { DEFAULT_MEMORY_CONFIG, MemorySystem, type MemoryConfig, type ThpMode } from './memory-system.js';
export { sysMlock, sysMunlock } from './mlock.js';
export { mmCreate } from './mm-alloc.js';
export { MmStruct } from './mm-struct.js';
export {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_HUGETLB,
  MAP_LOCKED,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_EXEC,
  PROT_NONE,
  PROT_READ,
  PROT_SEM,
  PROT_WRITE,
  sysMmap,
} from './mmap.js';
export { sysMprotect } from './mprotect.js';
export { MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE, sysMremap } from './mremap.js';
export { sysMunmap } from './munmap.js';
export { allocPage } from './page-alloc.js';
export { PM_FILE, PM_MMAP_EXCLUSIVE, PM_PRESENT, PM_SWAP, pagemapEntry } from './pagemap.js';
export {
  syscallMadvise,
  syscallMlock,
  syscallMmap,
  syscallMprotect,
  syscallMremap,
  syscallMunlock,
  syscallMunmap,
} from './syscalls.js';
export { findVma, vmaLookup } from './vma-set.js';
export {
  VM_ACCOUNT,
  VM_DONTCOPY,
  VM_DONTEXPAND,
  VM_EXEC,
  VM_HUGEPAGE,
  VM_HUGETLB,
  VM_IO,
  VM_LOCKED,
  VM_MIXEDMAP,
  VM_NOHUGEPAGE,
  VM_PFNMAP,
  VM_READ,
  VM_SHARED,
  VM_SPECIAL,
  VM_WIPEONFORK,
  VM_WRITE,
  Vma,
} from './vma.js';
