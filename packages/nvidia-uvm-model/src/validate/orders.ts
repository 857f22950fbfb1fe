import { Prng } from '@hmm/kernel';
import { sequence } from '../uvm-sequence.js';

/**
 * The pages of an order, as an access loop visits them: `seq`, `rev`, `stride:K`, `sparse:K`, `page:I`, `range:FIRST+COUNT`. Orders by chance
 * (`rand:SEED`, `subset:PERCENT+100*SEED`) come out in this project's own sequence: recordings list theirs.
 * @returns undefined for a text that is no order.
 */
export function pagesOfOrder(order: string, pages: number): Int32Array | undefined {
  const [kind = '', text = ''] = order.split(':');
  const argument = Number(text);
  switch (kind) {
    case '-':
    case 'seq':
      return sequence(pages);
    case 'rev':
      return Int32Array.from({ length: pages }, (_, i) => pages - 1 - i);
    case 'page':
      return Number.isInteger(argument) ? Int32Array.of(argument) : undefined;
    case 'sparse':
      return argument >= 1
        ? Int32Array.from({ length: Math.ceil(pages / argument) }, (_, i) => i * argument)
        : undefined;
    case 'stride':
      return argument >= 1 ? strided(pages, argument) : undefined;
    case 'range': {
      const range = rangeOfOrder(order);
      return range && Int32Array.from({ length: range.count }, (_, i) => range.first + i);
    }
    case 'rand':
      return shuffled(pages, argument);
    case 'subset':
      return shuffled(pages, Math.floor(argument / 100)).slice(
        0,
        Math.round((pages * (argument % 100)) / 100),
      );
    default:
      return undefined;
  }
}

/** An interval of pages, counted from the allocation's first. */
export interface OrderedRange {
  readonly first: number;
  readonly count: number;
}

/** The interval of `range:FIRST+COUNT`, whatever follows behind another colon; undefined for other orders. */
export function rangeOfOrder(order: string): OrderedRange | undefined {
  const found = /^range:(\d+)\+(\d+)(?::|$)/.exec(order);
  return found === null ? undefined : { first: Number(found[1]), count: Number(found[2]) };
}

function strided(pages: number, step: number): Int32Array {
  const out = new Int32Array(pages);
  let at = 0;
  for (let first = 0; first < step; first++)
    for (let page = first; page < pages; page += step) out[at++] = page;
  return out;
}

function shuffled(pages: number, seed: number): Int32Array {
  const prng = new Prng(seed);
  const out = Int32Array.from({ length: pages }, (_, i) => i);
  for (let i = pages - 1; i > 0; i--) {
    const j = prng.below(i + 1);
    const kept = out[i] ?? 0;
    out[i] = out[j] ?? 0;
    out[j] = kept;
  }
  return out;
}
