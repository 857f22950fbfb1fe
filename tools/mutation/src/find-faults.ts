import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInstrumenter } from '@stryker-mutator/instrumenter';
import { commonTokens } from '@stryker-mutator/api/plugin';
import type { Logger } from '@stryker-mutator/api/logging';
import { createInjector } from 'typed-inject';
import type { PlantedFault } from './place.js';

/** All faults that can be planted in the sources of a package, in the order of the files' names. */
export async function findFaults(packageFolder: string): Promise<readonly PlantedFault[]> {
  const injector = createInjector()
    .provideValue(commonTokens.logger, SILENT)
    .provideValue(commonTokens.getLogger, () => SILENT);
  const instrumenter = injector.injectFunction(createInstrumenter);
  const files = sourceFiles(join(packageFolder, 'src')).map((name) => ({
    name,
    content: readFileSync(name, 'utf8'),
    mutate: true,
  }));
  const options = { plugins: null, excludedMutations: [], ignorers: [] };
  const { mutants } = await instrumenter.instrument(files, options);
  return mutants;
}

/** The TypeScript files below a folder, without those that only pass others' exports on. */
export function sourceFiles(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && entry.name !== 'index.ts')
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

const silent = (): void => undefined;
const off = (): boolean => false;
const SILENT: Logger = {
  isTraceEnabled: off,
  isDebugEnabled: off,
  isInfoEnabled: off,
  isWarnEnabled: off,
  isErrorEnabled: off,
  isFatalEnabled: off,
  trace: silent,
  debug: silent,
  info: silent,
  warn: silent,
  error: silent,
  fatal: silent,
};
