import { declareState } from '@hmm/kernel/internal';
import type { Hmm, HmmCore } from './hmm.js';

/**
 * A range of pages on one of the lists of a {@link Hmm}: a lock, a monitor or an invalidation of v13, a tracked snapshot of 4.14.
 * Its owner has it on the stack. @v13 patch 10 hmm_range
 */
export class HmmRange {
  /** What of it is state. */
  static readonly state = declareState({
    core: 'constant',
    hmm: 'value',
    start: 'value',
    end: 'value',
    waiting: 'value',
    wakeup: 'value',
    gone: 'value',
    pfns: 'value',
    valid: 'value',
  });

  /** HMM of the machine, which in the kernel there is one of. */
  readonly core: HmmCore;
  hmm: Hmm | undefined;
  /** First page, and the page behind the last. */
  start = 0;
  end = 0;
  /** v13: the invalidation that waits for this one. */
  waiting: HmmRange | undefined;
  /** v13: it may go on. */
  wakeup = false;
  /** Whether the stack that it lay on is used for something else: nobody may look at it. */
  gone = false;
  /** 4.14: the snapshot's slots. */
  pfns: Int32Array | undefined;
  /** 4.14: nothing of it was invalidated. */
  valid = false;

  constructor(core: HmmCore) {
    this.core = core;
  }
}

/** Takes `range` off a list. @returns whether it was there. */
export function unlist(list: HmmRange[], range: HmmRange): boolean {
  const at = list.indexOf(range);
  if (at >= 0) list.splice(at, 1);
  return at >= 0;
}

/** Whether [start, end) is no range of pages of a VMA. */
export function outsideVma(
  vma: { readonly start: number; readonly end: number },
  start: number,
  end: number,
): boolean {
  return start < vma.start || start >= vma.end || end < vma.start || end > vma.end;
}
