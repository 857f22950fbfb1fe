import { EEXIST, EINVAL, PAGE_SIZE, type Task } from '@hmm/kernel';
import {
  newUserfaultfd,
  UFFDIO_REGISTER_MODE_MISSING,
  type UserfaultfdCtx,
  userfaultfdCopy,
  userfaultfdCtxRead,
  userfaultfdRegister,
  userfaultfdRelease,
  userfaultfdUnregister,
  userfaultfdZeropage,
  wakeUserfault,
} from '@hmm/mm/internal';
import type { OperationContext } from '../context.js';
import { operation } from '../definition.js';
import { DONE, type Outcome, returned } from '../outcome.js';
import { pages } from '../parts/ranges.js';
import { assigned } from '../parts/values.js';

// A process has one userfaultfd, which its first registration opens.

/** What does something with the process's userfaultfd; `-EINVAL` where it has none. */
function* onUserfaultfd(
  { process }: OperationContext,
  does: (ctx: UserfaultfdCtx) => Task<number>,
): Task<Outcome> {
  const [ctx] = process.mm.userfaultfds;
  return returned(ctx === undefined ? -EINVAL : yield* does(ctx));
}

/** Pages full of one byte. */
const filled = (count: number, byte: number): Uint8Array => new Uint8Array(count * PAGE_SIZE).fill(byte);

/** `uffd_register a`: somebody of the process brings the pages of `a` that are missing. */
export const uffdRegister = operation({
  kind: 'uffd_register',
  summary: 'Has faults on missing pages wait until the process itself brings the pages.',
  parts: [pages],
  results: true,
  side: 'cpu',
  *run({ process: { mm } }, { range }) {
    const ctx = mm.userfaultfds[0] ?? newUserfaultfd(mm);
    return returned(yield* userfaultfdRegister(ctx, range.vpn, range.pages, UFFDIO_REGISTER_MODE_MISSING));
  },
  returns: 'errno',
  recorded: [],
});

/** `uffd_unregister a`: missing pages are the kernel's to bring again, and who waits for one goes on. */
export const uffdUnregister = operation({
  kind: 'uffd_unregister',
  summary: 'Has the kernel bring missing pages again.',
  parts: [pages],
  results: true,
  side: 'cpu',
  *run(context, { range }) {
    return yield* onUserfaultfd(context, (ctx) => userfaultfdUnregister(ctx, range.vpn, range.pages));
  },
  returns: 'errno',
  recorded: [],
});

/** `uffd_copy a = 5`: brings missing pages, every byte of which is 5, and wakes who waits for them. */
export const uffdCopy = operation({
  kind: 'uffd_copy',
  summary: 'Brings missing pages of one byte over and over, and wakes who waits for them.',
  parts: [pages, assigned],
  results: true,
  side: 'cpu',
  *run(context, { range, value }) {
    const bytes = filled(range.pages, value);
    return yield* onUserfaultfd(context, (ctx) => userfaultfdCopy(ctx, range.vpn, range.pages, bytes));
  },
  returns: 'errno',
  recorded: [],
});

/** `uffd_zeropage a`: brings missing pages as the zero page. */
export const uffdZeropage = operation({
  kind: 'uffd_zeropage',
  summary: 'Brings missing pages as the zero page, and wakes who waits for them.',
  parts: [pages],
  results: true,
  side: 'cpu',
  *run(context, { range }) {
    return yield* onUserfaultfd(context, (ctx) => userfaultfdZeropage(ctx, range.vpn, range.pages));
  },
  returns: 'errno',
  recorded: [],
});

/**
 * `uffd_serve a = 5 -> asked`: takes as many faults as `a` has pages, one after the other as they come, and answers each by a page
 * of fives; gives the pages of `a` in the order in which they were asked for, -1 for others.
 */
export const uffdServe = operation({
  kind: 'uffd_serve',
  summary: 'Answers as many faults as the range has pages, each by a page of one byte over and over.',
  parts: [pages, assigned],
  results: true,
  side: 'cpu',
  *run({ process: { mm } }, { range, value }) {
    const [ctx] = mm.userfaultfds;
    if (ctx === undefined) return returned(-EINVAL);
    const bytes = filled(1, value);
    const asked: number[] = [];
    while (asked.length < range.pages) {
      const fault = yield* userfaultfdCtxRead(ctx);
      if (fault === undefined) break;
      const inside = fault.vpn >= range.vpn && fault.vpn < range.vpn + range.pages;
      asked.push(inside ? fault.vpn - range.vpn : -1);
      const ret = yield* userfaultfdCopy(ctx, fault.vpn, 1, bytes);
      // Two can wait for one page.
      if (ret === -EEXIST) wakeUserfault(ctx, fault.vpn, fault.vpn + 1);
      else if (ret !== 0) return returned(ret);
    }
    return { rc: 0, values: asked, cpages: 0, faults: 0 };
  },
  returns: 'values',
  recorded: [],
});

/** `uffd_close`: the process closes its userfaultfd. */
export const uffdClose = operation({
  kind: 'uffd_close',
  summary: 'Closes the userfaultfd: nothing is registered any longer, and who waits goes on.',
  parts: [],
  results: false,
  side: 'cpu',
  *run({ process }) {
    for (const ctx of [...process.mm.userfaultfds]) yield* userfaultfdRelease(ctx);
    return DONE;
  },
  returns: 'errno',
  recorded: [],
});

/** The operations of this file. */
export const USERFAULTFD_OPERATIONS = [
  uffdRegister,
  uffdUnregister,
  uffdCopy,
  uffdZeropage,
  uffdServe,
  uffdClose,
] as const;
