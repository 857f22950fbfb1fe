import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A package that others have published, as it lies in `node_modules`. */
export interface ExternalPackage {
  readonly name: string;
  readonly version: string;
  readonly folder: string;
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/**
 * What the members in `folders` need of others at run time, and what those need in turn, in the versions that are installed: with them a
 * registry without a network has all that an installation asks for.
 */
export function externalPackages(folders: readonly string[]): ExternalPackage[] {
  const found = new Map<string, ExternalPackage>();
  const visit = (folder: string): void => {
    const manifest = manifestOf(folder);
    for (const name of Object.keys(manifest.dependencies ?? {})) {
      const at = name.startsWith('@hmm/') ? undefined : installedFrom(folder, name);
      if (at === undefined) continue;
      const { version } = manifestOf(at);
      if (found.has(`${name}@${version}`)) continue;
      found.set(`${name}@${version}`, { name, version, folder: at });
      visit(at);
    }
  };
  for (const folder of folders) visit(folder);
  return [...found.values()];
}

/** Where Node finds a package from a folder. */
function installedFrom(folder: string, name: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const candidate = join(at, 'node_modules', name);
    if (existsSync(join(candidate, 'package.json'))) return realpathSync(candidate);
    if (dirname(at) === at) return undefined;
  }
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}
