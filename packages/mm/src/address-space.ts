import { RwSemaphore } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import { MAX_MAPPINGS, type MemorySystem } from './memory-system.js';
import type { Vma } from './vma.js';

/**
 * A file's pages: a shared anonymous mapping, a memfd, or a file of a modelled file system. All of them are kept as
 * shmem keeps them: page cache first, swap slots for what reclaim wrote out.
 * @kernel include/linux/fs.h address_space
 */
export class AddressSpace {
  /** What of it is state. */
  static readonly state = declareState({
    id: 'constant',
    root: 'constant',
    size: 'count',
    tree: 'constant',
    rwsem: 'constant',
    users: 'value',
  });

  /** What `MemMap.mapping` holds for its pages. */
  readonly id: number;
  /**
   * Root of its page cache in the pool of page tables: an entry's flags say present (payload pfn) or swapped
   * (payload swap slot), index is the page offset.
   */
  readonly root: number;
  /** Size of the file, pages. Accesses beyond it are SIGBUS. */
  size: number;
  /** VMAs that map it, ordered by first page offset, then by insertion. @kernel include/linux/fs.h i_mmap */
  readonly tree: Vma[] = [];
  /** Held by walks over the tree (read) and by changes of it (write). @kernel include/linux/fs.h i_mmap_rwsem */
  readonly rwsem: RwSemaphore;
  /** References by VMAs and by open descriptors. */
  users = 1;

  constructor(system: MemorySystem, id: number, root: number, size: number) {
    const { kernel } = system;
    this.rwsem = new RwSemaphore(kernel.sched, system.mappingObjects + MAX_MAPPINGS + id, 'i_mmap_rwsem');
    this.id = id;
    this.root = root;
    this.size = size;
  }
}
