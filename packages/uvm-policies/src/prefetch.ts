import { maskFill, maskNext, maskTest, type UvmPageMask, type UvmPerfPolicy } from '@hmm/nvidia-uvm-model';

/** A block of the driver, as far as these policies look at it. */
type Block = Parameters<NonNullable<UvmPerfPolicy['prefetch']>>[0];

/** Takes nothing along. */
export function noPrefetch(): UvmPerfPolicy {
  return { name: 'none', prefetch: () => true };
}

/** Takes the whole 2 MiB block along. */
export function alwaysMax(): UvmPerfPolicy {
  return {
    name: 'always-max',
    prefetch(block, _destination, _faulted, prefetch) {
      maskFill(prefetch, 0, block.pages);
      return true;
    },
  };
}

/** Takes along the pages behind each faulted one: so many percent of the block. */
export function sequential(percent = 25): UvmPerfPolicy {
  return {
    name: 'sequential',
    prefetch(block, _destination, faulted, prefetch) {
      const ahead = Math.max(1, Math.floor((block.pages * percent) / 100));
      for (const page of pagesOf(block, faulted))
        maskFill(prefetch, page, Math.min(page + 1 + ahead, block.pages));
      return true;
    },
  };
}

/** The density tree with a threshold of its own: the largest aligned node of which more than so many percent is here or comes. */
export function densityTree(percent: number): UvmPerfPolicy {
  return {
    name: `tree-${percent}`,
    prefetch(block, destination, faulted, prefetch) {
      const { resident } = block.masks(destination);
      for (const page of pagesOf(block, faulted)) {
        for (let size = 512; size > 1; size /= 2) {
          const first = page - (page % size);
          const outer = Math.min(first + size, block.pages);
          let here = 0;
          for (let at = first; at < outer; at++) if (maskTest(resident, at) || maskTest(faulted, at)) here++;
          if (here * 100 <= (outer - first) * percent) continue;
          maskFill(prefetch, first, outer);
          break;
        }
      }
      return true;
    },
  };
}

/** When {@link stride} believes in a stride, and how far it goes. */
export interface StrideOptions {
  /** Times that a stride has to come again. */
  readonly confidence?: number;
  /** Pages taken along from the predicted one on. */
  readonly pages?: number;
  /** The longest stride, pages. */
  readonly longest?: number;
}

/** Takes along what the distance between the last two faults of a block predicts, once it has come often enough. */
export function stride({ confidence = 2, pages = 2, longest = 128 }: StrideOptions = {}): UvmPerfPolicy {
  const seen = new WeakMap<Block, { last: number; stride: number; confidence: number }>();
  return {
    name: 'stride',
    prefetch(block, _destination, faulted, prefetch) {
      for (const page of pagesOf(block, faulted)) {
        const state = seen.get(block) ?? { last: -1, stride: 0, confidence: 0 };
        seen.set(block, state);
        const step = state.last < 0 ? 0 : page - state.last;
        state.last = page;
        if (step === 0) continue;
        if (Math.abs(step) <= longest && step === state.stride) state.confidence++;
        else {
          state.confidence = Math.max(0, state.confidence - 1);
          if (Math.abs(step) <= longest) state.stride = step;
        }
        if (Math.abs(step) > longest || state.confidence < confidence) continue;
        const next = page + state.stride;
        const first = state.stride > 0 ? next : next - pages + 1;
        const outer = Math.min(first + pages, block.pages);
        if (Math.max(0, first) < outer) maskFill(prefetch, Math.max(0, first), outer);
      }
      return true;
    },
  };
}

function* pagesOf(block: Block, mask: UvmPageMask): Generator<number> {
  for (let page = maskNext(mask, 0); page < block.pages; page = maskNext(mask, page + 1)) yield page;
}
