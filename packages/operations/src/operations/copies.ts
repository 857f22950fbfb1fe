import { EINVAL } from '@hmm/kernel';
import type { OperationContext } from '../context.js';
import { operation } from '../definition.js';
import type { PageRange } from '../memory-region.js';
import { failedBecause, impossible, type Outcome, returned } from '../outcome.js';
import { pages, pagesTo } from '../parts/ranges.js';
import { assigned } from '../parts/values.js';
import { isManaged, managedOf } from './mapping.js';

/** `copy a to v`, `copy v[0..4] to a[8..12]`: copies pages by the device's driver, and waits (`cudaMemcpy`). */
export const copy = operation({
  kind: 'copy',
  summary: 'Copies whole pages from or to memory of a driver, and waits for it.',
  parts: [pagesTo],
  results: true,
  side: 'gpu',
  refuse: ({ range, to }) =>
    range.pages === to.pages ? undefined : `a copy of ${range.pages} pages does not go into ${to.pages}`,
  *run(context, { range, to }) {
    const side = isManaged(range) ? range : to;
    if (!isManaged(side)) return impossible(-EINVAL, 'a copy has memory of a driver on one side at least');
    const managed = managedOf(context, side);
    if (managed?.copy === undefined) return without(context, side, 'copies nothing for programs');
    return lost(yield* managed.copy(range.vpn, to.vpn, range.pages));
  },
  returns: 'errno',
  recorded: [],
});

/** `fill v = 7`: makes each byte of pages a value by the device's driver, and waits (`cudaMemset`). */
export const fill = operation({
  kind: 'fill',
  summary: 'Makes each byte of pages of a driver a value, and waits for it.',
  parts: [pages, assigned],
  results: true,
  side: 'gpu',
  refuse: ({ value }) => (value >= 0 && value <= 255 ? undefined : `a byte is 0 to 255, not ${value}`),
  *run(context, { range, value }) {
    if (!isManaged(range)) return impossible(-EINVAL, 'fill is for memory of a driver: use cpu write');
    const managed = managedOf(context, range);
    if (managed?.fill === undefined) return without(context, range, 'fills nothing for programs');
    return lost(yield* managed.fill(range.vpn, range.pages, value));
  },
  returns: 'errno',
  recorded: [],
});

function lost(rc: number): Outcome {
  return rc === 0 ? returned(0) : failedBecause(rc, 'the runtime could not do it');
}

function without(context: OperationContext, { region }: PageRange, what: string): Outcome {
  const name = context.client(region?.managedBy ?? context.defaultDevice).name;
  return impossible(-EINVAL, `${name} ${what}`);
}

/** The operations of this file. */
export const COPY_OPERATIONS = [copy, fill] as const;
