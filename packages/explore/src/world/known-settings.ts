import { HmmError } from '@hmm/kernel';
import { KERNEL_SETTINGS } from '@hmm/kernel/internal';
import type { MirrorDevicesFactory } from './mirror-devices.js';

/** The names of all settings that a world with these devices has, where `settings` are those that it is given. */
export function knownSettings(
  settings: ReadonlyMap<string, string>,
  devices: MirrorDevicesFactory,
  own: readonly string[] = [],
): string[] {
  return [...own, ...Object.keys(KERNEL_SETTINGS), ...devices.settingNames(settings)];
}

/**
 * Refuses a setting that nobody reads: it would be thought to have an effect.
 * @param own the settings of the kind of test itself.
 * @throws HmmError `SETTING`, whose detail `key` is the setting.
 */
export function checkSettings(
  settings: ReadonlyMap<string, string>,
  devices: MirrorDevicesFactory,
  own: readonly string[] = [],
): void {
  const known = knownSettings(settings, devices, own);
  for (const key of settings.keys()) {
    if (!known.includes(key))
      throw new HmmError('SETTING', `there is nothing called ${key} to set (settings: ${known.join(', ')})`, {
        key,
      });
  }
}
