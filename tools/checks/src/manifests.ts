import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { allowances, turboBoundaries, type Allowance, type LayerTable } from './layers.js';

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

const SCOPE = '@hmm/';

/**
 * Compares every member's `package.json` and `turbo.json`, and the root's `turbo.json`, with the table of layers.
 * Returns a sentence for each difference.
 */
export function manifestComplaints(root: string, table: LayerTable): string[] {
  const all = allowances(table);
  const complaints = all.flatMap((allowance) => memberComplaints(root, allowance));
  const listed = new Set(all.map(({ folder }) => folder));
  for (const group of ['packages', 'apps']) {
    for (const name of readdirSync(join(root, group))) {
      const folder = `${group}/${name}`;
      if (!listed.has(folder) && existsSync(join(root, folder, 'package.json'))) {
        complaints.push(`${folder}: not in tools/checks/layers.json`);
      }
    }
  }
  const { boundaries } = readJson(root, 'turbo.json') as { boundaries?: unknown };
  if (JSON.stringify(boundaries) !== JSON.stringify(turboBoundaries(table))) {
    complaints.push('turbo.json: boundaries differ from the table; `pnpm layers --write` puts them right');
  }
  return complaints;
}

function memberComplaints(
  root: string,
  { folder, tag, imports, development, external }: Allowance,
): string[] {
  const complaints: string[] = [];
  const manifest = readJson(root, `${folder}/package.json`) as Manifest;
  const { tags } = readJson(root, `${folder}/turbo.json`) as { tags?: readonly string[] };
  if (tags?.length !== 1 || tags[0] !== tag)
    complaints.push(`${folder}/turbo.json: its tag has to be ${tag}`);
  const runtime = new Set([...imports.map((name) => SCOPE + name), ...external]);
  for (const name of Object.keys(manifest.dependencies ?? {})) {
    if (!runtime.has(name)) complaints.push(`${folder}/package.json: its layer may not depend on ${name}`);
  }
  const forTests = new Set([...imports, ...development].map((name) => SCOPE + name));
  for (const name of Object.keys(manifest.devDependencies ?? {})) {
    if (name.startsWith(SCOPE) && !forTests.has(name)) {
      complaints.push(`${folder}/package.json: not even its tests may depend on ${name}`);
    }
  }
  for (const [name, range] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
    const wanted = name.startsWith(SCOPE) ? 'workspace:^' : 'catalog:';
    if (range !== wanted) complaints.push(`${folder}/package.json: ${name} has to be "${wanted}"`);
  }
  return complaints;
}

function readJson(root: string, path: string): unknown {
  return JSON.parse(readFileSync(join(root, path), 'utf8')) as unknown;
}
