import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const INVARIANTS = 68;

/** A row of the table: the invariant, the packages with a predicate, and why there is none. */
interface Row {
  readonly id: string;
  readonly packages: readonly string[];
  readonly remarks: string;
}

const page = readFileSync(join(root, 'docs/invariants.md'), 'utf8');
const rows: Row[] = [...page.matchAll(/^\| (I\d+) +\|[^|]+\|([^|]+)\|([^|]*)\|$/gm)].map((row) => ({
  id: row[1] ?? '',
  packages: [...(row[2] ?? '').matchAll(/`([\w-]+)`/g)].map(([, name]) => name ?? ''),
  remarks: (row[3] ?? '').trim(),
}));

/** All TypeScript below a folder of a package. */
function sources(name: string, folder: string): string {
  const at = join(root, 'packages', name, folder);
  if (!existsSync(at)) return '';
  return readdirSync(at, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join(at, file), 'utf8'))
    .join('\n');
}

/** The predicates that a package's sources export, by name. */
const predicates = (name: string): string[] =>
  [...sources(name, 'src').matchAll(/^export (?:const|function) (I\d+)\b/gm)].map(([, id]) => id ?? '');

describe('the table of invariants', () => {
  it('has each of them once, in order', () => {
    expect(rows.map(({ id }) => id)).toEqual(Array.from({ length: INVARIANTS }, (_, i) => `I${i + 1}`));
  });

  it('names exactly the predicates that the packages export', () => {
    const packages = readdirSync(join(root, 'packages'));
    const exported = packages.flatMap((name) => predicates(name).map((id) => `${name}: ${id}`));
    const told = rows.flatMap(({ id, packages: names }) => names.map((name) => `${name}: ${id}`));
    expect(told.sort()).toEqual(exported.sort());
  });

  it('names predicates that are tested in their package', () => {
    const untested: string[] = [];
    for (const name of new Set(rows.flatMap(({ packages }) => packages))) {
      const tests = sources(name, 'test');
      for (const { id, packages } of rows)
        if (packages.includes(name) && !new RegExp(`\\b${id}\\b`).test(tests))
          untested.push(`${name}: ${id}`);
    }
    expect(untested).toEqual([]);
  });

  it('says of every other one why there is none, and names only what exists', () => {
    expect(rows.filter(({ packages, remarks }) => packages.length === 0 && remarks === '')).toEqual([]);
    const named = [...page.matchAll(/`(packages\/[\w./-]+)`/g)].map(([, path]) => path ?? '');
    expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});
