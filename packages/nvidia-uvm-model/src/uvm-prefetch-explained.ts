import type { PrefetchQuestion, PrefetchTree, PrefetchTreeLevel } from '@hmm/device';
import { UvmModuleParams } from './uvm-module-params.js';
import { maskFill, newMask } from './uvm-page-mask.js';
import { UvmPrefetchTree } from './uvm-perf-prefetch-tree.js';

/** Pages of the regions that are always fetched whole: 64 KiB. */
const BIG_PAGES = 16;

/**
 * How the density prefetcher sees a fault of managed memory: the nodes of its tree over the faulted page. undefined where it is
 * switched off. @uvm uvm_perf_prefetch.c compute_prefetch_mask (all)
 */
export function uvmPrefetchTree(question: PrefetchQuestion): PrefetchTree | undefined {
  const { resident, faulted, page, settings } = question;
  const params = new UvmModuleParams();
  for (const name of ['uvm_perf_prefetch_enable', 'uvm_perf_prefetch_threshold']) {
    const value = settings.get(name);
    if (value !== undefined) params.set(name, Number(value));
  }
  if (params.get('uvm_perf_prefetch_enable') === 0) return undefined;
  const threshold = params.get('uvm_perf_prefetch_threshold');
  const mask = newMask();
  for (const [at, here] of resident.entries()) if (here !== 0) maskFill(mask, at, at + 1);
  for (const [at, here] of faulted.entries()) {
    const first = at - (at % BIG_PAGES);
    if (here !== 0) maskFill(mask, first, Math.min(first + BIG_PAGES, faulted.length));
  }
  const tree = new UvmPrefetchTree();
  tree.load(mask, resident.length, 0);
  const levels: PrefetchTreeLevel[] = [];
  for (let size = 1; ; size *= 2) {
    const first = page - (page % size);
    const pages = Math.min(size, resident.length - first);
    const set = tree.ones(first, first + pages);
    levels.push({ first, pages, set, dense: set * 100 > pages * threshold });
    if (size >= resident.length) return { threshold, levels };
  }
}
