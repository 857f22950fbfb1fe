import type { Task } from '@hmm/kernel';
import type { AddressSpace } from './address-space.js';
import type { AnonVma } from './anon-vma.js';
import type { MmStruct } from './mm-struct.js';
import {
  dupAnonVma,
  removeSwallowed,
  splitHugePmdIfNeeded,
  splitVma,
  vmaComplete,
  vmaPrepare,
} from './vma-adjust.js';
import { vmaIndex, vmaNext, vmaPrev } from './vma-set.js';
import { VM_SPECIAL, type Vma, type VmOperations } from './vma.js';
import type { UserfaultfdCtx } from './userfaultfd.js';

/** A range that may become part of its neighbours. @kernel mm/vma.h vma_merge_struct */
export interface VmaMergeStruct {
  readonly start: number;
  readonly end: number;
  readonly flags: number;
  readonly pgoff: number;
  readonly file: AddressSpace | null;
  readonly ops: VmOperations | null;
  readonly anonVma: AnonVma | null;
  readonly uffd: UserfaultfdCtx | null;
  /** The VMA that the range is a part of now. */
  readonly middle?: Vma;
  /** The VMA whose pages are about to be moved here. */
  readonly copiedFrom?: Vma;
}

/**
 * @kernel mm/vma.c is_mergeable_vma (without: soft-dirty, which the kernel lets differ; VMA names, NUMA
 * policies)
 */
function isMergeableVma(neighbour: Vma, vmg: VmaMergeStruct): boolean {
  return (
    neighbour.flags === vmg.flags &&
    neighbour.file === vmg.file &&
    neighbour.ops === vmg.ops &&
    neighbour.uffd === vmg.uffd &&
    vmg.ops?.close === undefined
  );
}

/**
 * Whether `target` may grow over pages whose anon_vma is `vmg.anonVma`: theirs must be one, or one of the two has none yet
 * and the other's does not come from fork. @kernel mm/vma.c is_mergeable_anon_vma (all)
 */
function isMergeableAnonVma(target: Vma, vmg: VmaMergeStruct): boolean {
  if (target.anonVma === vmg.anonVma) return true;
  if (target.anonVma !== null && vmg.anonVma !== null) return false;
  if (!target.mm.kernel.does.mergesIntoUnfaulted) return target.anonVmaChain.length === 1;
  if (target.anonVma !== null) return target.anonVmaChain.length === 1;
  return !isForkChild(vmg.middle) && !isForkChild(vmg.copiedFrom);
}

/** @kernel mm/vma.c vma_is_fork_child */
const isForkChild = (vma: Vma | undefined): boolean => vma !== undefined && vma.anonVmaChain.length > 1;

/**
 * Whether the two outer ones of a merge of three may be one.
 * @kernel mm/vma.c are_anon_vmas_compatible (all)
 */
function areAnonVmasCompatible(left: Vma, right: Vma): boolean {
  return left.anonVma === right.anonVma || left.anonVma === null || right.anonVma === null;
}

/** @kernel mm/vma.c can_vma_merge_left (without: NUMA policies) */
function canMergeLeft(previous: Vma | undefined, vmg: VmaMergeStruct): previous is Vma {
  return (
    previous !== undefined &&
    previous.end === vmg.start &&
    isMergeableVma(previous, vmg) &&
    isMergeableAnonVma(previous, vmg) &&
    previous.pgoff + (previous.end - previous.start) === vmg.pgoff
  );
}

/** @kernel mm/vma.c can_vma_merge_right (without: NUMA policies) */
function canMergeRight(next: Vma | undefined, vmg: VmaMergeStruct, left: Vma | undefined): next is Vma {
  return (
    next !== undefined &&
    next.start === vmg.end &&
    isMergeableVma(next, vmg) &&
    isMergeableAnonVma(next, vmg) &&
    next.pgoff === vmg.pgoff + (vmg.end - vmg.start) &&
    (left === undefined || areAnonVmasCompatible(left, next))
  );
}

/**
 * The part [start, end) of `vma` gets `flags` (and `uffd`): merges it into neighbours that then look the same, else splits it off.
 * @returns the VMA that the range is in now (whose flags and userfaultfd the caller sets), or a negative errno.
 * @kernel mm/vma.c vma_modify (without: NUMA policies, VMA names)
 */
export function* vmaModify(
  vma: Vma,
  start: number,
  end: number,
  flags: number,
  uffd = vma.uffd,
): Task<Vma | number> {
  const merged = yield* vmaMergeExistingRange(vma, start, end, flags, uffd);
  if (merged !== undefined) return merged;
  if (vma.start < start) {
    const error = yield* splitVma(vma, start, true);
    if (error !== 0) return error;
  }
  if (vma.end > end) {
    const error = yield* splitVma(vma, end, false);
    if (error !== 0) return error;
  }
  return vma;
}

/** @kernel mm/vma.c vma_merge_existing_range (without: allocations that fail, khugepaged) */
function* vmaMergeExistingRange(
  vma: Vma,
  start: number,
  end: number,
  flags: number,
  uffd: UserfaultfdCtx | null,
): Task<Vma | undefined> {
  const leftSide = vma.start === start;
  const rightSide = vma.end === end;
  if ((flags & VM_SPECIAL) !== 0 || (!leftSide && !rightSide)) return undefined;
  const { file, ops, anonVma } = vma;
  const pgoff = vma.pgoff + (start - vma.start);
  const vmg = { start, end, flags, pgoff, file, ops, anonVma, uffd, middle: vma };
  const previous = leftSide ? vmaPrev(vma) : undefined;
  const left = canMergeLeft(previous, vmg) ? previous : undefined;
  const next = rightSide ? vmaNext(vma) : undefined;
  const right = canMergeRight(next, vmg, left) ? next : undefined;
  if (left !== undefined && right !== undefined) return yield* mergeBoth(left, vma, right);
  if (left !== undefined) return yield* mergeLeft(left, vma, end);
  if (right !== undefined) return yield* mergeRight(vma, right, start);
  return undefined;
}

/** The previous VMA grows over `vma` and over the next one. */
function* mergeBoth(previous: Vma, vma: Vma, next: Vma): Task<Vma> {
  yield* dupAnonVma(previous, next.anonVma === null ? vma : next);
  const end = next.end;
  yield* removeSwallowed(vma);
  yield* removeSwallowed(next);
  yield* setBounds(previous, undefined, () => {
    previous.end = end;
  });
  return previous;
}

/** The previous VMA grows to `end`; `vma` is swallowed or loses its head. */
function* mergeLeft(previous: Vma, vma: Vma, end: number): Task<Vma> {
  yield* dupAnonVma(previous, vma);
  if (vma.end === end) {
    yield* removeSwallowed(vma);
    yield* setBounds(previous, undefined, () => {
      previous.end = end;
    });
    return previous;
  }
  yield* setBounds(
    previous,
    vma,
    () => {
      previous.end = end;
      vma.moveStart(end);
    },
    end,
    vma,
  );
  return previous;
}

/** The next VMA grows down to `start`; `vma` is swallowed or loses its tail. */
function* mergeRight(vma: Vma, next: Vma, start: number): Task<Vma> {
  yield* dupAnonVma(next, vma);
  if (vma.start === start) {
    yield* removeSwallowed(vma);
    yield* setBounds(next, undefined, () => {
      next.moveStart(start);
    });
    return next;
  }
  yield* setBounds(
    vma,
    next,
    () => {
      vma.end = start;
      next.moveStart(start);
    },
    start,
    vma,
  );
  return next;
}

/**
 * Changes bounds under the rmap locks; a huge PMD of `inside` that `boundary` falls into is split.
 * @kernel mm/vma.c commit_merge (without: allocations that fail)
 */
function* setBounds(
  vma: Vma,
  adjacent: Vma | undefined,
  set: () => void,
  boundary?: number,
  inside?: Vma,
): Task {
  const change = { vma, adjacent, insert: undefined };
  yield* vmaPrepare(change);
  if (boundary !== undefined && inside !== undefined) yield* splitHugePmdIfNeeded(inside, boundary);
  set();
  vmaComplete(change);
}

/**
 * A new range, which no VMA covers, becomes part of its neighbours if it can.
 * @returns the VMA that holds it now; undefined when a new one is needed.
 * @kernel mm/vma.c vma_merge_new_range (without: allocations that fail, khugepaged)
 */
export function* vmaMergeNewRange(mm: MmStruct, vmg: VmaMergeStruct): Task<Vma | undefined> {
  if ((vmg.flags & VM_SPECIAL) !== 0) return undefined;
  const index = vmaIndex(mm, vmg.start);
  const before = mm.vmas[index - 1];
  const behind = mm.vmas[index];
  const left = canMergeLeft(before, vmg) ? before : undefined;
  const right = canMergeRight(behind, vmg, left) ? behind : undefined;
  if (left !== undefined) {
    const end = right?.end ?? vmg.end;
    if (right !== undefined) {
      yield* dupAnonVma(left, right);
      yield* removeSwallowed(right);
    }
    yield* inheritAnonVma(left, vmg);
    yield* setBounds(left, undefined, () => {
      left.end = end;
    });
    return left;
  }
  if (right !== undefined) {
    yield* inheritAnonVma(right, vmg);
    yield* setBounds(right, undefined, () => {
      right.moveStart(vmg.start);
    });
  }
  return right;
}

/** A VMA that grows over pages that come from elsewhere has to be found from them. */
function* inheritAnonVma(target: Vma, { copiedFrom }: VmaMergeStruct): Task {
  if (copiedFrom !== undefined) yield* dupAnonVma(target, copiedFrom);
}
