import type { KernelOptions } from './kernel.js';
import { isRelease, RELEASES } from './releases.js';

/** Settings of a machine itself, whichever driver runs on it, with a sentence each. */
export const KERNEL_SETTINGS: Readonly<Record<string, string>> = {
  release: `release of Linux that is modelled: ${RELEASES.join(', ')}`,
  ram: 'system memory, MiB',
  cma: 'of the system memory, what the contiguous memory allocator has and lends to pages that can be moved, MiB',
  flip: 'behaviours that are to be the other way round than in that release, separated by commas',
};

/** What settings by name make of a kernel, or one line on what is wrong with them. Others than {@link KERNEL_SETTINGS} are left. */
export function kernelOptions(settings: ReadonlyMap<string, string>): KernelOptions | string {
  const release = settings.get('release');
  const flipped = (settings.get('flip') ?? '').split(',').filter((name) => name !== '');
  if (release === undefined) return { flipped };
  return isRelease(release) ? { release, flipped } : `release is ${RELEASES.join(', ')}, not ${release}`;
}
