import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the repository. */
export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** Where the sources can be read by everybody. */
export const REPOSITORY_URL = 'https://github.com/hmm-ts/hmm';

/** The text of a file of the repository. */
export function repositoryText(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** Whether the repository has a file or folder. */
export function inRepository(path: string): boolean {
  return existsSync(join(ROOT, path));
}

/** Where a file or folder of the repository can be read. */
export function repositoryUrl(path: string): string {
  const kind = inRepository(path) && statSync(join(ROOT, path)).isDirectory() ? 'tree' : 'blob';
  return `${REPOSITORY_URL}/${kind}/main/${path}`;
}

/** Files below a folder whose names end so, by path from the folder, sorted. */
export function filesBelow(folder: string, ending: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(ending) && !file.includes('node_modules'))
    .sort();
}

/** Names of the members of a folder of the workspace that have a README. */
export function membersOf(folder: 'packages' | 'apps' | 'tools'): string[] {
  return readdirSync(join(ROOT, folder))
    .filter((name) => inRepository(`${folder}/${name}/README.md`))
    .sort();
}
