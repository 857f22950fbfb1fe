import {
  CORE_BEHAVIOURS,
  DEFAULT_RELEASE,
  isRelease,
  type KernelOptions,
  type Release,
  RELEASES,
} from '@hmm/kernel';
import type { ClientFactory } from '@hmm/device';

/** Settings of a machine itself, whichever driver runs on it, with a sentence each. */
export const MACHINE_SETTINGS: Readonly<Record<string, string>> = {
  release: `release of Linux that is modelled: ${RELEASES.join(', ')}`,
  flip: 'behaviours of the core that are to be the other way round than in that release, separated by commas',
};

/** What a machine and its driver are made with, or one line on what is wrong with the settings. */
export type SplitSettings =
  | {
      readonly ok: true;
      readonly kernel: KernelOptions;
      readonly driver: ReadonlyMap<string, string>;
    }
  | { readonly ok: false; readonly message: string };

/**
 * Divides settings into those of the machine and those of its driver. A driver may have a setting of its own that asks for
 * a release; the machine's wins.
 */
export function splitSettings(
  settings: ReadonlyMap<string, string>,
  factory: Pick<ClientFactory, 'release' | 'behaviours'>,
): SplitSettings {
  const asked = releaseNamed(settings.get('release'));
  if (typeof asked === 'object') return asked;
  const flipped = (settings.get('flip') ?? '').split(',').filter((name) => name !== '');
  const known = [...Object.keys(CORE_BEHAVIOURS), ...(factory.behaviours ?? [])];
  const wrong = flipped.find((name) => !known.includes(name));
  if (wrong !== undefined) {
    return { ok: false, message: `no behaviour is called ${wrong} (behaviours: ${known.join(', ')})` };
  }
  const driver = new Map([...settings].filter(([key]) => !(key in MACHINE_SETTINGS)));
  const release = asked ?? factory.release?.(driver) ?? DEFAULT_RELEASE;
  return { ok: true, kernel: { release, flipped }, driver };
}

function releaseNamed(name: string | undefined): Release | undefined | { ok: false; message: string } {
  if (name === undefined || isRelease(name)) return name;
  return { ok: false, message: `release is ${RELEASES.join(', ')}, not ${name}` };
}
