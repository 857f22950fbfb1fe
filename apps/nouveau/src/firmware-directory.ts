import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { FirmwareSource } from '@hmm/nouveau-model';

/** The kernel takes images as they are or compressed; distributions ship either. */
const SUFFIXES = ['', '.zst', '.xz'];

/**
 * Which images lie in a firmware directory (`/lib/firmware`); undefined when there is no such directory. The images
 * are not opened: that they are there is all that the model asks.
 */
export function firmwareDirectory(path: string): FirmwareSource | undefined {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return undefined;
  return (file) => SUFFIXES.some((suffix) => existsSync(join(path, file + suffix)));
}
