import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Folders of sources that serve any driver and know none. */
export const NEUTRAL_SOURCES = [
  'packages/device/src',
  'packages/machine/src',
  'packages/report/src',
  'packages/explore/src',
  'packages/cli/src',
  'apps/explorer/src/engine',
] as const;

/** What drivers are called, in any spelling. */
const DRIVER_NAME = /nouveau|uvm|nvidia|test-?device|test_device|dmirror/i;

/** A line that names a driver where none may be named. */
export interface NamedDriver {
  /** Path from the root, and the line, from 1 on. */
  readonly path: string;
  readonly line: number;
  readonly text: string;
}

/** The lines of neutral sources under `root` that name a driver: what they say would hold for that driver alone. */
export function namedDrivers(root: string, folders: readonly string[] = NEUTRAL_SOURCES): NamedDriver[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => /\.tsx?$/.test(path))
      .sort()
      .flatMap((path) => linesOf(root, join(folder, path))),
  );
}

function linesOf(root: string, path: string): NamedDriver[] {
  return readFileSync(join(root, path), 'utf8')
    .split('\n')
    .map((text, at) => ({ path, line: at + 1, text: text.trim() }))
    .filter(({ text }) => DRIVER_NAME.test(text));
}
