import { type KernelOptions, NEWEST_EXACT_RELEASE } from '@hmm/kernel';
import { CORE_BEHAVIOURS, KERNEL_SETTINGS, kernelOptions } from '@hmm/kernel/internal';
import type { ClientFactory } from '@hmm/device';

/** What a machine and its driver are made with, or one line on what is wrong with the settings. */
export type SplitSettings =
  | {
      readonly ok: true;
      readonly kernel: KernelOptions;
      readonly driver: ReadonlyMap<string, string>;
    }
  | { readonly ok: false; readonly message: string };

/**
 * Divides settings into those of the machine (`KERNEL_SETTINGS`) and those of its driver. A driver may have a setting of its
 * own that asks for a release; the machine's wins. Where nobody asks it is the newest release that recordings hold exactly.
 */
export function splitSettings(
  settings: ReadonlyMap<string, string>,
  factory: Pick<ClientFactory, 'release' | 'behaviours'>,
): SplitSettings {
  const asked = kernelOptions(settings);
  if (typeof asked === 'string') return { ok: false, message: asked };
  const known = [...Object.keys(CORE_BEHAVIOURS), ...(factory.behaviours ?? [])];
  const wrong = asked.flipped?.find((name) => !known.includes(name));
  if (wrong !== undefined) {
    return { ok: false, message: `no behaviour is called ${wrong} (behaviours: ${known.join(', ')})` };
  }
  const driver = new Map([...settings].filter(([key]) => !(key in KERNEL_SETTINGS)));
  const release = asked.release ?? factory.release?.(driver) ?? NEWEST_EXACT_RELEASE;
  return { ok: true, kernel: { ...asked, release }, driver };
}
