/** A historical bug of the memory-management and driver code that HMM touches. */
export interface Mutant {
  /** Its number in the catalogue of bugs: `B7`. */
  readonly id: string;
  /** What was wrong. */
  readonly title: string;
  /** Litmus tests of the library that break when it is planted; empty for one that the model cannot express. */
  readonly tests: readonly string[];
  /** Why the model cannot express it. */
  readonly reason?: string;
}

const NO_TLB = 'the CPU has no TLB and no cache in the model: an entry that is gone is gone';
const NO_HUGE_DEVICE =
  'the test device has no huge pages; planted and caught in huge-mutants.test.ts of @hmm/migrate';

/** The catalogue, in its order. */
export const MUTANTS: readonly Mutant[] = [
  {
    id: 'B1',
    title: 'the dirty bit is lost when a migration collects',
    tests: ['dirty-survives-failed-migration'],
  },
  { id: 'B2', title: 'a missing cache flush before the copy', tests: [], reason: NO_TLB },
  { id: 'B3', title: 'the TLB is flushed after the page-table lock is dropped', tests: [], reason: NO_TLB },
  {
    id: 'B4',
    title: 'a CPU fault on a private page holds no reference on it',
    tests: ['home-two-reads', 'home-vs-munmap'],
  },
  { id: 'B5', title: 'free device pages have a reference', tests: ['first-example', 'todev-vs-cpu-read'] },
  { id: 'B6', title: 'a device page is put on the LRU', tests: ['todev-vs-cpu-read'] },
  { id: 'B7', title: 'a hole gets an entry of the wrong kind', tests: ['hole-in-coherent-memory'] },
  {
    id: 'B8',
    title: 'an accounting walk passes private entries by',
    tests: ['private-vs-dontneed', 'tosys-vs-munmap'],
  },
  { id: 'B9', title: 'a freed device page keeps its mapping', tests: ['home-two-reads', 'home-vs-tosys'] },
  {
    id: 'B10',
    title: 'rmap decodes a private entry as a present one',
    tests: ['private-cow', 'cow-survives-migration'],
  },
  {
    id: 'B11',
    title: 'an operation of a page walk is not initialised',
    tests: [],
    reason: 'walks have no table of callbacks',
  },
  {
    id: 'B12',
    title: 'references are counted before the swap cache lets go',
    tests: ['swap-cache-page-migrates'],
  },
  {
    id: 'B13',
    title: 'a large private folio keeps its order when reused',
    tests: [],
    reason: NO_HUGE_DEVICE,
  },
  { id: 'B14', title: 'a frozen PMD split consumes a reference', tests: [], reason: NO_HUGE_DEVICE },
  {
    id: 'B15',
    title: 'a dead branch of the huge collect unlocks twice',
    tests: [],
    reason: 'page-table locks are atomic steps',
  },
  {
    id: 'B16',
    title: 'a private PMD is not looked at again under the lock',
    tests: [],
    reason: NO_HUGE_DEVICE,
  },
  {
    id: 'B17',
    title: 'the uffd-wp bit of a private PMD is lost',
    tests: [],
    reason: 'nothing sets these bits',
  },
  { id: 'B18', title: 'madvise takes a private PMD for a present one', tests: [], reason: NO_HUGE_DEVICE },
  { id: 'B19', title: 'a write fault in a read-only VMA succeeds for ever', tests: ['store-to-read-only'] },
  { id: 'B20', title: 'a hole in the range is taken for a VMA', tests: ['fault-vs-munmap'] },
  { id: 'B21', title: 'swapped-out pages are not faulted in', tests: ['fault-vs-pageout'] },
  { id: 'B22', title: 'the zero page is refused as special', tests: ['first-touch-two-devices'] },
  { id: 'B23', title: 'a page of another device is -EFAULT', tests: ['foreign-fault-brings-home'] },
  {
    id: 'B24',
    title: 'who cannot lock a page keeps its reference and tries again',
    tests: ['home-two-reads', 'home-read-vs-write'],
  },
  {
    id: 'B25',
    title: 'the mapping of a page table is not released on the losing path',
    tests: [],
    reason: 'page tables need no mapping of their own',
  },
  {
    id: 'B26',
    title: 'the request array is not made anew after -EBUSY',
    tests: ['read-fault-vs-mprotect-r'],
  },
  {
    id: 'B26b',
    title: 'the count of invalidations leaks when a callback refuses',
    tests: ['reaper-vs-device'],
  },
  { id: 'B26c', title: 'mmap_lock is dropped twice', tests: ['fault-vs-munmap', 'fault-vs-dontneed'] },
  { id: 'B27', title: 'the PFN array is not zeroed before a scan', tests: ['dma-vs-munmap'] },
  { id: 'B28', title: 'the DMA-mapped flag is lost', tests: ['dma-refault'] },
  {
    id: 'B29',
    title: 'removal of a notifier does not wait for its callback',
    tests: ['snapshot-vs-munmap', 'close-vs-munmap'],
  },
  { id: 'B30', title: 'the end is called without a start', tests: ['reaper-vs-plain-notifiers'] },
  { id: 'B31', title: 'a blockable callback under the OOM reaper', tests: ['reaper-vs-device'] },
  {
    id: 'B32',
    title: 'registration races with faults under the VMA lock',
    tests: [],
    reason: 'there are no per-VMA locks',
  },
  { id: 'B33', title: 'the mirror is freed while a callback runs', tests: ['close-vs-munmap'] },
  { id: 'B34', title: 'no release is delivered at exit', tests: ['exit-under-mirror'] },
  { id: 'B35', title: 'no reference while an exclusive entry is removed', tests: ['exclusive-vs-dontneed'] },
  { id: 'B36', title: 'pages of the wrong kind are made exclusive', tests: ['exclusive-of-shared-memory'] },
  { id: 'B37', title: 'rmap walkers count exclusive entries as present', tests: ['exclusive-vs-kswapd'] },
  {
    id: 'B38',
    title: 'soft-dirty and uffd-wp set in the wrong encoding',
    tests: [],
    reason: 'nothing sets these bits',
  },
  { id: 'B39', title: 'a read-only page comes back writable', tests: ['cow-survives-migration'] },
  {
    id: 'B40',
    title: 'the result of making pages exclusive is trusted',
    tests: ['exclusive-partly-unmapped'],
  },
  { id: 'B41', title: 'a failed copy hands out an uninitialised page', tests: ['home-copy-fails'] },
  { id: 'B42', title: 'a failed allocation of an eviction is not noticed', tests: ['close-alloc-fails'] },
  {
    id: 'B43',
    title: 'the reference of the CPU fault is not allowed for',
    tests: ['home-two-reads', 'home-vs-munmap'],
  },
  { id: 'B44', title: 'lock and reference leak after making exclusive', tests: ['exclusive-vs-cpu-write'] },
  { id: 'B45', title: 'only the first chunk is migrated', tests: ['todev-all-pages', 'tosys-all-pages'] },
  { id: 'B46', title: 'a range is not cut at the end of the VMA', tests: ['todev-across-vmas'] },
  { id: 'B47', title: 'a hole is copied from frame 0', tests: ['hole-race-reader'] },
  { id: 'B48', title: 'device memory is not evicted at close', tests: ['close-vs-cpu-read'] },
  // There it was an object of the driver's; the reference that a device takes here is that of the address space.
  { id: 'B49', title: 'a reference is taken from 0 to 1', tests: ['process-ends-under-device'] },
  { id: 'B50', title: 'skipped slots shift the data', tests: ['todev-skips-pinned'] },
  { id: 'B51', title: 'the callback drops the last user of the mm', tests: ['callback-vs-exit-kswapd'] },
  {
    id: 'B52',
    title: 'a stale buffered fault is served',
    tests: [],
    reason: 'the test device has no fault buffer',
  },
  { id: 'B53', title: 'an object is queued for destruction twice', tests: ['dma-child-unmapped'] },
  { id: 'B54', title: 'the mirror is destroyed before its notifier', tests: ['close-vs-munmap'] },
  { id: 'B55', title: 'a fault without mm says success', tests: ['process-ends-under-device'] },
  { id: 'B56', title: 'a failed copy returns without finalize', tests: ['home-alloc-fails'] },
  { id: 'B57', title: 'a reference on the mm leaks on an early exit', tests: ['todev-into-hole'] },
  {
    id: 'B58',
    title: 'destination slots are not cleared between retries',
    tests: ['todev-same-device-twice'],
  },
];
