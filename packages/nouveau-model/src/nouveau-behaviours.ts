import { behaviour as has, defect, type Behaviours } from '@hmm/kernel';

/**
 * What the releases' nouveau differ in, and what is wrong with it. A defect that is mended, by its name, is one less.
 * The table of defects for people is in the README.
 */
export const NOUVEAU_BEHAVIOURS = {
  //                     6.1 6.12 6.19 7.3
  largeDeviceMemory: has(
    '- - + +',
    'nouveau_dmem.c nouveau_dmem_chunk_alloc',
    'Chunks of device memory have 256 MiB, of small pages or of huge folios; SVM_BIND works in pieces of 512 pages, and a huge page that lies in one moves whole.',
  ),
  comparesLowBits: defect(
    '+ + + +',
    'nouveau_svm.c nouveau_svm_fault_cmp',
    'Faults whose addresses are 2 GiB and more apart are served in a wrong order: the difference is cut to 32 bits.',
  ),
  skipsBelow: defect(
    '+ + + +',
    'nouveau_svm.c nouveau_svm_fault',
    'A fault at an address below what was mapped for another is passed over with it, and comes again after the replay.',
  ),
  staleSkip: defect(
    '+ + + +',
    'nouveau_svm.c nouveau_svm_fault',
    'Whether faults are passed over with one that failed is decided by the rights of what was mapped before it.',
  ),
  stickyAtomic: defect(
    '+ + + +',
    'nouveau_svm.c nouveau_svm_fault',
    'After an atomic every later fault of the work item is served as one: reads of file memory are cancelled, other pages taken from the CPU.',
  ),
  retriesOwnExclusive: defect(
    '+ + + +',
    'nouveau_svm.c nouveau_atomic_range_fault',
    'An atomic on a page in device memory, on the zero page or on one shared copy-on-write is retried for a second, each time because of its own last try; then its channel is killed.',
  ),
  readOnlyVram: defect(
    '+ + + +',
    'nouveau_svm.c nouveau_range_fault',
    'A store to a page in device memory that is read-only since a fork or an mprotect faults for ever.',
  ),
  mapsRefusedPages: defect(
    '+ + + +',
    'nouveau_dmem.c nouveau_dmem_migrate_chunk',
    'SVM_BIND maps on the GPU what the core refused to move, as all of a file: the GPU uses device memory that is freed, and given to others.',
  ),
  keepsSourceMappings: defect(
    '+ + + +',
    'nouveau_svm.c nouveau_svmm_invalidate_range_start',
    'SVM_BIND leaves the GPU its old mappings while it copies: a store in between is lost.',
  ),
  ignoresMapFailure: defect(
    '+ + + +',
    'nouveau_svm.c nouveau_pfns_map',
    'A map that fails after SVM_BIND leaves the GPU its mappings of the host pages that were just freed.',
  ),
  orderAsPageShift: defect(
    '- - + +',
    'nouveau_dmem.c nouveau_dmem_migrate_chunk',
    'The map after every SVM_BIND fails: it is asked for with the order of a folio where a page shift is expected.',
  ),
  leaksOnCopyError: defect(
    '+ - - -',
    'nouveau_dmem.c nouveau_dmem_migrate_to_ram',
    'A copy home that the engine fails silently shows the process what the frame held before.',
  ),
  bindsForCaller: defect(
    '+ + + +',
    'nouveau_svm.c nouveau_svmm_bind',
    'SVM_BIND by a forked child through the inherited file puts its pages into the address space of its parent on the GPU.',
  ),
  ownerIsDevice: defect(
    '+ + + +',
    'nouveau_svm.c nouveau_svmm_invalidate_range_start',
    'With two clients in one process, what one of them moves stays mapped for the other where it was.',
  ),
  keepsFreedSvmm: defect(
    '+ + + +',
    'nouveau_dmem.c nouveau_dmem_migrate_to_ram',
    'A page in device memory names its mirror: a CPU access after that was closed crashes the kernel.',
  ),
  neverMarksDirty: defect(
    '+ + + +',
    'nouveau_svm.c nouveau_range_fault',
    'What the GPU stores to memory after MADV_FREE is lost when the memory is reclaimed: nobody marks its page dirty.',
  ),
  partialHugeClear: defect(
    '+ + + +',
    'nvkm/subdev/mmu/vmm.c nvkm_vmm_pfn_unmap',
    'A 2 MiB entry of the GPU survives a clear of a part of it, and every later one: the GPU uses freed host memory.',
  ),
  joinsPageSizes: defect(
    '+ + + +',
    'nvkm/subdev/mmu/vmm.c nvkm_vmm_pfn_split_merge',
    'Neighbouring mapped ranges become one with the page size of the newer: small pages beside a newer huge one are never cleared, a huge one beside a newer small page crashes the kernel when it is cleared.',
  ),
} as const;

/** What one driver does, for each row of {@link NOUVEAU_BEHAVIOURS}. */
export type NouveauBehaviours = Behaviours<typeof NOUVEAU_BEHAVIOURS>;

/** The name of a defect. */
export type NouveauDefect = Exclude<keyof NouveauBehaviours, 'largeDeviceMemory'>;

/** All defects, by name. */
export const NOUVEAU_DEFECTS: readonly NouveauDefect[] =
  Object.keys(NOUVEAU_BEHAVIOURS).filter(isNouveauDefect);

/** Whether `name` is a defect of some release. */
export function isNouveauDefect(name: string): name is NouveauDefect {
  const row = Object.entries(NOUVEAU_BEHAVIOURS).find(([known]) => known === name);
  return row?.[1].bug === true;
}
