import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { allRows, holds, prove, type Proof, releasesPage, SELF_TESTS } from '@hmm/releases';
import { describe, expect, test } from 'vitest';

const text = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../${path}`, import.meta.url)), 'utf8');
const proofs = JSON.parse(text('proofs.json')) as Proof[];
/** Rows that are turned round here, a replay each; `pnpm releases:prove` does all. */
const SAMPLE = ['pagemapHugeZeroPlain', 'exclusiveRestoreClears', 'holesReadOnly', 'swapinThroughCache'];

describe('self-tests', () => {
  test.each(SELF_TESTS.map((each) => [each.name, each] as const))('%s', (_name, each) => {
    for (const release of each.on) {
      const has = allRows().get(each.behaviour)?.releases.includes(release) === true;
      expect(holds(each, has, release, []), release).toBe(true);
      expect(holds(each, !has, release, [each.behaviour]), `${release}, turned round`).toBe(true);
    }
  });
});

describe('proofs', () => {
  test.each(SAMPLE)('%s: something fails when it is turned round', (name) => {
    expect(prove(name, 1)).toEqual(proofs.filter(({ behaviour }) => behaviour === name));
    expect(prove(name, 1).some(({ by }) => by !== null)).toBe(true);
  });

  test('each row of the tables has been looked at in each recorded release', () => {
    const seen = proofs.map(({ behaviour, release }) => `${behaviour} ${release}`).sort();
    expect(seen).toEqual([...allRows().keys()].flatMap((name) => [`${name} 6.12`, `${name} 7.3`]).sort());
  });

  test('docs/releases.md is what the tables and the proofs say', () => {
    expect(text('../../docs/releases.md')).toBe(releasesPage(proofs));
  });
});
