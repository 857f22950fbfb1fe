/** What a flag set asks for: how memory is allocated, what happens to it between two executions, and how it is checked. */
export interface Flags {
  /** `mmap` where the others use `malloc`: which later buffers are shared depends on it. */
  readonly mmap: boolean;
  readonly shared: boolean;
  readonly file: boolean;
  readonly huge: boolean;
  readonly lock: boolean;
  /** A new buffer for each execution; `free`: the one before is freed first, so that its address comes again. */
  readonly fresh: boolean;
  readonly free: boolean;
  /** The fence lies in the tested memory: the CPU polls it while the GPU works. */
  readonly race: boolean;
  readonly prefetch: boolean;
  /** The preferred location changes with each execution. */
  readonly swizzle: boolean;
  /** An execution touches four buffers. */
  readonly multiFault: boolean;
  readonly forkRead: boolean;
  readonly forkReadAfter: boolean;
  readonly remap: boolean;
  readonly dontunmap: boolean;
  /** It is moved while it is read-only. */
  readonly readOnly: boolean;
  /** Two executions come before the CPU looks at either. */
  readonly everyOther: boolean;
  /** The mirror is unbound while ranges are valid. */
  readonly busy: boolean;
  /** A buffer object is bound over the memory, and the mirror again. */
  readonly boUnmap: boolean;
  readonly boMap: boolean;
  /** Nobody writes to the memory before the GPU. */
  readonly untouched: boolean;
}

/** The 75 flag sets of `xe_exec_system_allocator`, by the names that its tests end in. */
export const FLAG_SETS = `
  malloc malloc-madvise malloc-prefetch malloc-prefetch-madvise malloc-multi-fault malloc-fork-read malloc-fork-read-after
  malloc-mlock malloc-race malloc-prefetch-race malloc-busy malloc-bo-unmap
  mmap mmap-prefetch mmap-remap mmap-remap-madvise mmap-remap-dontunmap mmap-remap-ro mmap-remap-ro-dontunmap
  mmap-remap-eocheck mmap-remap-dontunmap-eocheck mmap-remap-ro-eocheck mmap-remap-ro-dontunmap-eocheck mmap-huge
  mmap-shared mmap-prefetch-shared mmap-shared-remap mmap-shared-remap-dontunmap mmap-shared-remap-eocheck
  mmap-shared-remap-dontunmap-eocheck mmap-mlock mmap-file mmap-file-mlock mmap-race
  free free-madvise free-race new new-madvise new-prefetch new-race new-bo-map new-busy
  mmap-free mmap-free-madvise mmap-free-huge mmap-free-race mmap-new mmap-new-madvise mmap-new-huge mmap-new-race
  malloc-nomemset malloc-mlock-nomemset malloc-race-nomemset malloc-busy-nomemset malloc-bo-unmap-nomemset
  mmap-nomemset mmap-huge-nomemset mmap-shared-nomemset mmap-mlock-nomemset mmap-file-nomemset
  mmap-file-mlock-nomemset mmap-race-nomemset free-nomemset free-race-nomemset new-nomemset new-race-nomemset
  new-bo-map-nomemset new-busy-nomemset mmap-free-nomemset mmap-free-huge-nomemset mmap-free-race-nomemset
  mmap-new-nomemset mmap-new-huge-nomemset mmap-new-race-nomemset`
  .trim()
  .split(/\s+/);

/** What the words of a flag set's name ask for. */
export function flagsOf(name: string): Flags {
  const has = (words: string): boolean => `-${name}-`.includes(`-${words}-`);
  const shared = has('shared');
  const untouched = has('nomemset');
  return {
    mmap: has('mmap'),
    shared,
    file: has('file'),
    huge: has('huge'),
    // Shared memory is locked, too, unless nobody has written to it.
    lock: has('mlock') || (shared && !untouched),
    fresh: has('new') || has('free'),
    free: has('free'),
    race: has('race'),
    prefetch: has('prefetch'),
    swizzle: has('madvise'),
    multiFault: has('multi-fault'),
    forkRead: has('fork-read'),
    forkReadAfter: has('fork-read-after'),
    remap: has('remap'),
    dontunmap: has('dontunmap'),
    readOnly: has('ro'),
    everyOther: has('eocheck'),
    busy: has('busy'),
    boUnmap: has('bo-unmap'),
    boMap: has('bo-map'),
    untouched,
  };
}
