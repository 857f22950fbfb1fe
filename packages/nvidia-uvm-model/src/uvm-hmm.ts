import { alignDown, HPAGE_PMD_NR, HPAGE_PMD_ORDER, Mutex, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import { cpuResidency, RES_CPU } from '@hmm/device';
import { deviceFrame } from '@hmm/device/internal';
import {
  type MmStruct,
  VM_HUGETLB,
  VM_IO,
  VM_PFNMAP,
  VM_READ,
  VM_SPECIAL,
  VM_WRITE,
  type Vma,
  vmaLookup,
} from '@hmm/mm';
import {
  type MmuIntervalNotifier,
  mmuIntervalNotifierInsert,
  mmuIntervalNotifierRemove,
} from '@hmm/mmu-notifier';
import type { UvmVaBlockRegion } from './uvm-perf-prefetch.js';
import type { UvmHmmDevmem } from './uvm-hmm-devmem.js';
import { uvmHmmInvalidate } from './uvm-hmm-invalidate.js';
import { UvmServiceBlockContext } from './uvm-service-block-context.js';
import {
  UVM_ID_CPU,
  UVM_PROT_NONE,
  UVM_PROT_READ_ONLY,
  UVM_PROT_READ_WRITE_ATOMIC,
  type UvmProcessorMask,
} from './uvm-types.js';
import { UvmVaBlock } from './uvm-va-block.js';
import { defaultPolicy, type UvmVaPolicy } from './uvm-va-policy.js';
import { UvmVaRange } from './uvm-va-range.js';
import type { UvmVaSpace } from './uvm-va-space.js';

/** A block of system memory: the masks of a block, and the notifier that watches its 2 MiB. */
export interface UvmHmmBlock {
  readonly space: UvmHmmVaSpace;
  readonly block: UvmVaBlock;
  readonly notifier: MmuIntervalNotifier;
  /** Held while pages of the block migrate; taken before the block's lock. */
  readonly migrateLock: Mutex;
}

interface PolicyInterval {
  start: number;
  end: number;
  policy: UvmVaPolicy;
}

/**
 * System memory (malloc, stack, files) of one process as the driver mirrors it: blocks made on
 * demand, one interval notifier each, and policies by interval.
 * @uvm uvm_hmm.h uvm_hmm_va_space_t
 */
export class UvmHmmVaSpace {
  /** What of it is state. */
  static readonly state = declareState({
    space: 'constant',
    mm: 'constant',
    devmem: 'constant',
    invalidateContext: { saved: 'scratch of one service, written before it is read' },
    blocks: 'constant',
    policies: 'value',
  });

  readonly space: UvmVaSpace;
  readonly mm: MmStruct;
  readonly devmem: UvmHmmDevmem;
  /** What an invalidation works on: it may come in the middle of a service. */
  readonly invalidateContext: UvmServiceBlockContext;
  private readonly blocks = new Map<number, UvmHmmBlock>();
  private policies: PolicyInterval[] = [];

  constructor(space: UvmVaSpace, mm: MmStruct, devmem: UvmHmmDevmem) {
    this.space = space;
    this.mm = mm;
    this.devmem = devmem;
    this.invalidateContext = new UvmServiceBlockContext(space.driver);
  }

  /**
   * The VMA of a page if the GPU may use it at all; undefined otherwise. Operations of a VMA that are not hugetlb's are a driver's.
   * @uvm uvm_hmm.c uvm_hmm_vma_is_valid (without: that memory without VM_READ is refused here, not where the access is looked at)
   */
  vma(vpn: number): Vma | undefined {
    const vma = vmaLookup(this.mm, vpn);
    if (vma === undefined || vma.uffd !== null) return undefined;
    if (vma.ops !== null && (vma.flags & VM_HUGETLB) === 0) return undefined;
    return (vma.flags & (VM_IO | VM_PFNMAP)) === 0 ? vma : undefined;
  }

  /** The block of a page, if there is one. */
  findBlock(vpn: number): UvmHmmBlock | undefined {
    return this.blocks.get(alignDown(vpn, HPAGE_PMD_ORDER));
  }

  /**
   * The block of a page, made if need be; an errno when it cannot be watched.
   * @uvm uvm_hmm.c uvm_hmm_va_block_find_create (without: allocations that fail)
   */
  *block(vpn: number): Task<UvmHmmBlock | number> {
    const known = this.findBlock(vpn);
    if (known !== undefined) return known;
    const start = alignDown(vpn, HPAGE_PMD_ORDER);
    const { kernel } = this.space;
    const notifier = yield* mmuIntervalNotifierInsert(this.mm, start, HPAGE_PMD_NR, {
      invalidate: (sub, range, seq) => uvmHmmInvalidate(this, sub, range, seq),
    });
    if (typeof notifier === 'number') return notifier;
    const block = new UvmVaBlock(new UvmVaRange(this.space, start, HPAGE_PMD_NR), start, HPAGE_PMD_NR);
    const migrateLock = new Mutex(kernel.sched, kernel.allocIds(1), 'VA_BLOCK_MIGRATE');
    const made: UvmHmmBlock = { space: this, block, notifier, migrateLock };
    block.hmm = made;
    this.blocks.set(start, made);
    return made;
  }

  /** Who has the data of a page, a bit per processor. */
  holders(vpn: number): UvmProcessorMask {
    const frame = deviceFrame(this.mm, vpn);
    if (frame >= 0) return 1 << this.devmem.processorOf(frame);
    return (cpuResidency(this.mm, vpn) & RES_CPU) << UVM_ID_CPU;
  }

  /** All blocks. */
  all(): UvmHmmBlock[] {
    return [...this.blocks.values()];
  }

  /** Sets policies of an interval; intervals are cut at its ends (`uvm_hmm_split_as_needed`, policy nodes). */
  changePolicy(start: number, end: number, change: (policy: UvmVaPolicy) => void): void {
    const kept: PolicyInterval[] = [];
    let at = start;
    for (const node of this.policies) {
      if (node.end <= start || node.start >= end) {
        kept.push(node);
        continue;
      }
      if (node.start < start) kept.push({ ...node, end: start });
      if (node.end > end) kept.push({ ...node, start: end });
      if (node.start > at) kept.push({ start: at, end: node.start, policy: defaultPolicy() });
      kept.push({
        start: Math.max(node.start, start),
        end: Math.min(node.end, end),
        policy: { ...node.policy },
      });
      at = Math.min(node.end, end);
    }
    if (at < end) kept.push({ start: at, end, policy: defaultPolicy() });
    for (const node of kept) if (node.start >= start && node.end <= end) change(node.policy);
    this.policies = kept.sort((a, b) => a.start - b.start);
  }

  /** Forgets the policies of an interval: it is unmapped. */
  dropPolicy(start: number, end: number): void {
    if (this.policies.length === 0) return;
    this.changePolicy(start, end, (policy) => Object.assign(policy, defaultPolicy()));
  }

  /** The interval around a page that one service may touch: VMA, block and policy. Sets the block's policy. */
  region(hmm: UvmHmmBlock, vma: Vma, vpn: number): UvmVaBlockRegion {
    const { block } = hmm;
    let low = Math.max(block.start, vma.start);
    let high = Math.min(block.start + block.pages, vma.end);
    block.range.policy = defaultPolicy();
    for (const node of this.policies) {
      if (node.end <= vpn) low = Math.max(low, node.end);
      else if (node.start > vpn) high = Math.min(high, node.start);
      else {
        block.range.policy = node.policy;
        low = Math.max(low, node.start);
        high = Math.min(high, node.end);
      }
    }
    return { first: low - block.start, outer: high - block.start };
  }

  /** Stops watching everything. Nothing of the process may be in device memory. */
  *close(): Task {
    for (const { notifier } of this.blocks.values()) yield* mmuIntervalNotifierRemove(notifier);
    this.blocks.clear();
  }
}

/** The most that a VMA allows. @uvm uvm_hmm.c uvm_hmm_compute_logical_prot (all) */
export function uvmHmmLogicalProt(vma: Vma): number {
  if ((vma.flags & VM_READ) === 0) return UVM_PROT_NONE;
  return (vma.flags & VM_WRITE) === 0 ? UVM_PROT_READ_ONLY : UVM_PROT_READ_WRITE_ATOMIC;
}

/**
 * Whether memory of a VMA never moves and is mapped remotely: files, shared memory.
 * @uvm uvm_hmm.c uvm_hmm_must_use_sysmem (all)
 */
export function uvmHmmMustUseSysmem(hmm: UvmHmmVaSpace, vma: Vma): boolean {
  if (hmm.devmem.pagemap === undefined) return true;
  return !vma.isAnonymous() || (vma.flags & (VM_SPECIAL | VM_HUGETLB)) !== 0;
}
