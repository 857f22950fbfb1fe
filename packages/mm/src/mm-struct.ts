import { RwSemaphore, type Kernel } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import { type NotifierMm } from '@hmm/mmu-notifier';
import { mmuNotifierSubscriptionsDestroy, type MmuNotifierSubscriptions } from '@hmm/mmu-notifier/internal';
import type { MemorySystem } from './memory-system.js';
import type { UserfaultfdCtx } from './userfaultfd.js';
import type { Vma } from './vma.js';

/** A process's address space. @kernel include/linux/mm_types.h mm_struct */
export class MmStruct implements NotifierMm {
  /** What of it is state. */
  static readonly state = declareState({
    id: 'constant',
    kernel: 'constant',
    system: 'constant',
    root: 'constant',
    vmas: 'constant',
    recentVma: 'value',
    mmapLock: 'constant',
    usersObject: 'constant',
    users: 'value',
    count: 'value',
    notifierSubscriptions: 'value',
    rssAnon: 'value',
    rssFile: 'value',
    rssShmem: 'value',
    swapents: 'value',
    lockedVm: 'value',
    mmapBase: 'value',
    unstable: 'value',
    userfaultfds: 'constant',
    hasPinned: { saved: 'pages count their pins themselves: it only spares fork the look' },
  });

  /** Unique within its memory system; for people and for traces. */
  readonly id: number;
  readonly kernel: Kernel;
  /** What it lives in. */
  readonly system: MemorySystem;
  /** Link of the top-level page table. */
  readonly root: number;
  /** VMAs, ascending, disjoint. Stands for the maple tree. */
  readonly vmas: Vma[] = [];
  /** The VMA found last; bounds are tested at each use. */
  recentVma: Vma | undefined = undefined;
  /** Protects the VMAs, and, held for reading, their page tables' shape. */
  readonly mmapLock: RwSemaphore;
  /** The id under which {@link users} is observed. */
  readonly usersObject: number;
  /** Users of the address space (`mm_users`); at 0 it is torn down. */
  users = 1;
  /** References to the structure (`mm_count`). */
  count = 1;
  /** Notifier subscriptions; undefined until somebody subscribes. */
  notifierSubscriptions: MmuNotifierSubscriptions | undefined = undefined;
  /** Resident pages by kind, and swap entries. */
  rssAnon = 0;
  rssFile = 0;
  rssShmem = 0;
  swapents = 0;
  /** Pages of locked VMAs. */
  lockedVm = 0;
  /** Mappings without a fixed address go below this page. */
  mmapBase: number;
  /** Set by the OOM reaper: new pages must not be inserted. @kernel include/linux/sched/coredump.h MMF_UNSTABLE */
  unstable = false;
  /** Open userfaultfds. */
  readonly userfaultfds: UserfaultfdCtx[] = [];
  /** Whether a page of it was ever pinned: fork looks for pinned pages only then. @kernel include/linux/sched/coredump.h MMF_HAS_PINNED */
  hasPinned = false;

  constructor(system: MemorySystem, id: number, root: number) {
    const { kernel } = system;
    this.id = id;
    this.kernel = kernel;
    this.system = system;
    this.root = root;
    this.mmapBase = (system.tables.levels === 5 ? 2 ** 44 : 2 ** 35) - 0x10000;
    this.usersObject = kernel.allocIds(1);
    this.mmapLock = new RwSemaphore(kernel.sched, kernel.allocIds(1), 'mmap_lock');
  }

  /**
   * Drops a reference to the structure; with the last one it goes.
   * @kernel include/linux/sched/mm.h mmdrop (without: CPUs that still have it loaded, the context of the
   * architecture)
   */
  drop(): void {
    this.count--;
    if (this.count > 0) return;
    const { system } = this;
    mmuNotifierSubscriptionsDestroy(this);
    system.tables.free(this.root);
    const at = system.mms.indexOf(this);
    if (at >= 0) system.mms.splice(at, 1);
  }
}
