import { type KernelOptions, NEWEST_EXACT_RELEASE } from '@hmm/kernel';
import { CORE_BEHAVIOURS, KERNEL_SETTINGS, kernelOptions } from '@hmm/kernel/internal';
import type { ClientFactory } from '@hmm/device';
import type { MemoryConfig } from '@hmm/mm';
import { memorySettings } from '@hmm/mm/internal';

/** What a machine and its driver are made with, or one line on what is wrong with the settings. */
export type SplitSettings =
  | {
      readonly ok: true;
      readonly kernel: KernelOptions;
      readonly memory: Partial<MemoryConfig>;
      readonly driver: ReadonlyMap<string, string>;
    }
  | { readonly ok: false; readonly message: string };

/**
 * Divides settings into those of the machine (`KERNEL_SETTINGS`) and those of its driver. A driver may have a setting of its
 * own that asks for a release; the machine's wins. Where nobody asks it is the newest release that recordings hold exactly. A
 * driver's setting that is a size (its text names its unit: `device memory, MiB`) may be given with a unit of its own (`512MiB`,
 * `1GiB`); a plain number is in the setting's unit.
 */
export function splitSettings(
  settings: ReadonlyMap<string, string>,
  factory: Pick<ClientFactory, 'release' | 'behaviours'> & Partial<Pick<ClientFactory, 'settings'>>,
): SplitSettings {
  const asked = kernelOptions(settings);
  if (typeof asked === 'string') return { ok: false, message: asked };
  const known = [...Object.keys(CORE_BEHAVIOURS), ...(factory.behaviours ?? [])];
  const wrong = asked.flipped?.find((name) => !known.includes(name));
  if (wrong !== undefined) {
    return { ok: false, message: `no behaviour is called ${wrong} (behaviours: ${known.join(', ')})` };
  }
  const memory = memorySettings(settings);
  if (typeof memory === 'string') return { ok: false, message: memory };
  const driver = new Map<string, string>();
  for (const [key, value] of settings) {
    if (key in KERNEL_SETTINGS) continue;
    const plain = plainSize(key, value, factory.settings?.[key]);
    if (!plain.ok) return plain;
    driver.set(key, plain.value);
  }
  const release = asked.release ?? factory.release?.(driver) ?? NEWEST_EXACT_RELEASE;
  return { ok: true, kernel: { ...asked, release }, memory, driver };
}

/** Bytes of the units of sizes. */
const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** The unit in which a setting with this text is a size, such as `MiB`; undefined for one that is none. */
export function sizeUnit(text: string | undefined): string | undefined {
  return /, (KiB|MiB|GiB)$/.exec(text ?? '')?.[1];
}

/** A size with a unit as a number in the unit of its setting; anything else as it is. */
function plainSize(
  key: string,
  value: string,
  text: string | undefined,
): { readonly ok: true; readonly value: string } | { readonly ok: false; readonly message: string } {
  const unit = sizeUnit(text);
  const [, number, given] = /^(\d+(?:\.\d+)?) ?([KMGT]i?B?|B)$/.exec(value) ?? [];
  if (unit === undefined || number === undefined || given === undefined) return { ok: true, value };
  const bytes = Number(number) * (SIZE_UNITS[given] ?? NaN);
  const plain = bytes / (SIZE_UNITS[unit] ?? 1);
  if (Number.isSafeInteger(plain)) return { ok: true, value: String(plain) };
  return { ok: false, message: `${key} is a size in whole ${unit} (8${unit}, 1GiB), not ${value}` };
}
