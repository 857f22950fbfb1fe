import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RELEASES } from '@hmm/kernel';
import { MutantRunner, parseMutant, PATCHES, plantedSources, readCatalogue, readLibrary } from '@hmm/mutants';
import { afterAll, describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const library = readLibrary(fileURLToPath(new URL('../../../packages/explore/litmus/', import.meta.url)));
const catalogue = readCatalogue(fileURLToPath(PATCHES));
const expressible = catalogue.filter(({ reason }) => reason === undefined);
const scenarios = expressible.flatMap(({ tests }) => tests.filter((name) => !library.has(name)));
const runner = new MutantRunner(library);

afterAll(() => runner.close());

test('the catalogue has 89 bugs, in their order, and says of each why or by which tests', () => {
  expect(catalogue).toHaveLength(89);
  expect(expressible).toHaveLength(73);
  expect(catalogue.slice(25, 30).map(({ id }) => id)).toEqual(['B26', 'B26b', 'B26c', 'B27', 'B28']);
  for (const { note, reason, tests } of catalogue) {
    expect(note.length).toBeGreaterThan(20);
    expect(reason === undefined ? tests : [reason]).not.toEqual([]);
  }
});

describe('each bug that can be planted', () => {
  test.each(expressible.map((mutant) => [mutant.id, mutant] as const))(
    '%s applies to the sources, and every test that it names breaks',
    async (_id, mutant) => {
      expect(plantedSources(mutant, ROOT).size).toBeGreaterThan(0);
      const report = await runner.run(mutant);
      expect(report.caught_by).toEqual(mutant.tests);
    },
  );
});

/** Bugs whose tests are litmus tests of every release, each on those that it names and the catalogue's tests do not run on. */
const elsewhere = expressible.flatMap((mutant) =>
  mutant.on
    .filter((release) => release === '7.3')
    .flatMap((release) =>
      mutant.tests
        .filter((name) => library.has(name) && library.get(name)?.includes('set release') === false)
        .slice(0, 1)
        .map((name) => [mutant.id, release, name, mutant] as const),
    ),
);

test.each(elsewhere)('%s breaks on %s, too: %s', async (_id, release, name, mutant) => {
  expect((await runner.runTest(name, mutant, release)).broken).toBeDefined();
});

test('each says on which modelled releases it can be planted: only there are what it changes', () => {
  const lines = catalogue.map(({ releases }) => releases);
  expect([...new Set(lines)].sort()).toEqual(['6.19 on', 'all', 'up to 6.12']);
  const of = new Map(catalogue.map(({ releases, on }) => [releases, on]));
  expect([of.get('all'), of.get('6.19 on'), of.get('up to 6.12')]).toEqual([
    RELEASES,
    ['6.19', '7.3'],
    ['6.1', '6.12'],
  ]);
});

test.each(scenarios)('without a bug %s breaks nothing', async (name) => {
  expect((await runner.runTest(name)).broken).toBeUndefined();
});

test('the packages that are published know of no bug', () => {
  const packages = join(ROOT, 'packages');
  // Package by package: a recursive listing of them all would follow the links of node_modules round and round.
  const texts = readdirSync(packages).flatMap((name) => {
    const files = readdirSync(join(packages, name, 'src'), { recursive: true, encoding: 'utf8' });
    const sources = files.filter((path) => path.endsWith('.ts')).map((path) => join(name, 'src', path));
    return [join(name, 'package.json'), ...sources];
  });
  expect(texts.length).toBeGreaterThan(300);
  expect(texts.filter((path) => /mutant/i.test(readFileSync(join(packages, path), 'utf8')))).toEqual([]);
});

describe('a diff', () => {
  const file = (body: string): string =>
    `Id: B7\nTitle: t\nKernel: k\nHistory: h\nReleases: all\nCaught-by: hole-race\n\nIt was so.\n\n${body}`;
  const hunk = (path: string, context: string): string =>
    `--- a/${path}\n+++ b/${path}\n@@ -900,2 +900,1 @@\n ${context}\n-  if (mm.users <= 0) {\n`;
  const mmget = 'packages/mm/src/mmget.ts';
  const first = 'export function mmgetNotZero(mm: MmStruct): boolean {';

  test('applies wherever its lines stand', () => {
    const planted = plantedSources(parseMutant(file(hunk(mmget, first)), 'B7.diff'), ROOT);
    expect(planted.get(mmget)).not.toMatch('mm.users <= 0');
  });

  test('whose lines or file are gone is refused by name', () => {
    const stale = (body: string) => (): unknown => plantedSources(parseMutant(file(body), 'B7.diff'), ROOT);
    expect(stale(hunk(mmget, first).replace('mm.users <= 0', 'mm.users < 0'))).toThrow(
      /B7\.diff does not apply to .*mmget\.ts/,
    );
    expect(stale(hunk('packages/mm/src/none.ts', first))).toThrow(/no such file/);
  });

  test('without a line of its header, or named otherwise than its bug, is refused', () => {
    const text = file(hunk(mmget, first));
    expect(() => parseMutant(text.replace('Releases: all\n', ''), 'B7.diff')).toThrow(
      /no line "Releases: …"/,
    );
    expect(() => parseMutant(text.replace('Releases: all', 'Releases: up to 7.2'), 'B7.diff')).toThrow(
      /releases "up to 7.2", which are not modelled/,
    );
    expect(() => parseMutant(text, 'B8.diff')).toThrow(/not named by its id B7/);
    expect(() => parseMutant(file(''), 'B7.diff')).toThrow(/needs either a diff/);
  });

  test('that names a test which nobody has is refused', async () => {
    const mutant = parseMutant(file(hunk(mmget, first)).replace('hole-race', 'no-such-race'), 'B7.diff');
    await expect(runner.run(mutant)).rejects.toThrow(/B7 names the test no-such-race/);
  });
});
