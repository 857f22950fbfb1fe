import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { allowances, readLayerTable } from '../src/layers.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const pages = [
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'tools/checks/README.md',
  'tools/golden/README.md',
];

/** Files and folders of this repository that a page links to or names in code. */
function namedPaths(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8');
  const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)\)/g)].map(([, to]) =>
    join(dirname(page), to ?? ''),
  );
  const code = [...text.matchAll(/`((?:packages|apps|tools|docs)\/[\w./-]*\w)`/g)].map(
    ([, path]) => path ?? '',
  );
  return [...links, ...code];
}

describe('the pages of the repository', () => {
  it.each(pages)('%s names only what exists', (page) => {
    // The kernel has folders of these names too.
    const missing = namedPaths(page).filter(
      (path) => !existsSync(join(root, path)) && !path.startsWith('tools/testing/'),
    );
    expect(missing).toEqual([]);
  });

  it('tell the layers as the table has them', () => {
    const rows = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8').split('\n');
    for (const { folder, imports } of allowances(readLayerTable(root))) {
      if (!folder.startsWith('packages/')) continue;
      const cells = rows
        .find((row) => row.startsWith(`| \`${folder.slice('packages/'.length)}\` |`))
        ?.split(' | ');
      expect({ folder, imports: cells?.at(-1)?.replace(/ \|$/, '') }).toEqual({
        folder,
        imports: imports.join(', ') || 'nothing',
      });
    }
  });
});
