import { Prng } from '@hmm/kernel';

/** In which order an access goes over its range; `argument` where the order takes one. */
export type OrderKind = 'seq' | 'rev' | 'stride' | 'sparse' | 'page' | 'rand' | 'subset';

/**
 * The pages of a range in the order in which an access goes over them.
 *
 * | order | pages |
 * | --- | --- |
 * | `seq`, `rev` | 0, 1, 2 … and backwards |
 * | `stride` K | 0, K, 2K …, 1, K + 1 …: every page once |
 * | `sparse` K | 0, K, 2K … only |
 * | `page` I | page I alone |
 * | `rand` SEED | every page once, shuffled |
 * | `subset` N | a random N mod 100 percent of the pages (at least one), ascending; N / 100 is the seed |
 *
 * @param argument the order's number; unused by `seq` and `rev`.
 */
export function orderPages(kind: OrderKind, argument: number, pages: number): Int32Array {
  switch (kind) {
    case 'seq':
      return Int32Array.from({ length: pages }, (_, i) => i);
    case 'rev':
      return Int32Array.from({ length: pages }, (_, i) => pages - 1 - i);
    case 'stride':
      return strided(Math.max(1, argument), pages);
    case 'sparse': {
      const k = Math.max(1, argument);
      return Int32Array.from({ length: Math.ceil(pages / k) }, (_, i) => i * k);
    }
    case 'page':
      return Int32Array.of(argument);
    case 'rand':
      return shuffled(new Prng(argument), pages);
    case 'subset':
      return subset(argument, pages);
  }
}

function strided(k: number, pages: number): Int32Array {
  const order = new Int32Array(pages);
  let at = 0;
  for (let start = 0; start < k; start++) {
    for (let page = start; page < pages; page += k) order[at++] = page;
  }
  return order;
}

function shuffled(prng: Prng, pages: number): Int32Array {
  const order = Int32Array.from({ length: pages }, (_, i) => i);
  for (let i = pages - 1; i > 0; i--) {
    const j = prng.below(i + 1);
    const held = order[i] ?? 0;
    order[i] = order[j] ?? 0;
    order[j] = held;
  }
  return order;
}

function subset(argument: number, pages: number): Int32Array {
  const percent = argument % 100;
  const count = Math.max(1, Math.round((pages * percent) / 100));
  return shuffled(new Prng(Math.floor(argument / 100)), pages)
    .slice(0, count)
    .sort();
}
