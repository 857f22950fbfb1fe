import { FIRST_PFN } from './mem-map.js';
import { DEFAULT_MEMORY_CONFIG, type MemoryConfig } from './memory-system.js';

/** Frames of a MiB. */
const MIB_FRAMES = 256;

/** The frames that a machine has without settings. */
type Frames = Pick<MemoryConfig, 'frames' | 'systemFrames'>;

/**
 * What the settings `ram` and `cma` make of a machine's memory, or one line on what is wrong with them. As many frame numbers are left
 * for devices as `base` has.
 */
export function memorySettings(
  settings: ReadonlyMap<string, string>,
  base: Frames = DEFAULT_MEMORY_CONFIG,
): Partial<MemoryConfig> | string {
  const ram = settings.get('ram');
  const cma = settings.get('cma');
  if (ram === undefined && cma === undefined) return {};
  const frames = ram === undefined ? base.systemFrames - FIRST_PFN : evenMiB(ram);
  const lent = cma === undefined ? 0 : evenMiB(cma);
  if (frames === undefined) return `ram is a size in whole MiB, even and at least 2, not ${ram ?? ''}`;
  if (lent === undefined || lent >= frames)
    return `cma is a size in whole MiB, even and less than ram, not ${cma ?? ''}`;
  const systemFrames = FIRST_PFN + frames;
  return { systemFrames, cmaFrames: lent, frames: systemFrames + base.frames - base.systemFrames };
}

/** Frames of a size in MiB, whole blocks of 2 MiB; undefined where the text is none. */
function evenMiB(text: string): number | undefined {
  const size = /^(\d+)(?:MiB)?$/.exec(text)?.[1];
  const mib = Number(size);
  return size !== undefined && mib >= 2 && mib % 2 === 0 ? mib * MIB_FRAMES : undefined;
}
