import { fc } from '@hmm/config/property';
import { Search, type Subtree, subtreeName } from '@hmm/explore';
import { Prng } from '@hmm/kernel';
import { expect, test } from 'vitest';
import { randomPrograms } from './random-programs.js';
import { Toy, type ToyOp } from './toys.js';

const OPTIONS = { maxSteps: 200, keepGoing: true };

/** Whether `search` has broken nothing or something, and how it ends. */
function found(search: Search): string[] {
  const { outcomes, violations } = search.explorer;
  return [...outcomes.keys(), ...violations.keys()].sort();
}

/** Explores in parts, of which some are given away again; each part is sent as JSON. */
function shared(threads: readonly (readonly ToyOp[])[], seed: number): { search: Search; names: string[] } {
  const prng = new Prng(seed);
  const whole = new Search(new Toy(threads), OPTIONS);
  const parts: string[] = [];
  const names: string[] = [];
  const work = (search: Search): void => {
    do {
      const part = prng.below(3) === 0 ? search.split() : undefined;
      if (part === undefined) continue;
      names.push(subtreeName(part));
      parts.push(JSON.stringify(part));
    } while (search.explorer.run(1 + prng.below(2)));
  };
  work(whole);
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
    const search = new Search(new Toy(threads), OPTIONS, JSON.parse(part) as Subtree);
    work(search);
    whole.absorb(search.explorer.save());
  }
  return { search: whole, names };
}

test('explored in parts, a program has the outcomes and violations that it has as a whole', () => {
  let parts = 0;
  fc.assert(
    fc.property(randomPrograms, fc.integer({ min: 1, max: 1000 }), (threads, seed) => {
      const alone = new Search(new Toy(threads), OPTIONS);
      while (alone.advance());
      const { search, names } = shared(threads, seed);
      expect(found(search)).toEqual(found(alone));
      expect(new Set(names).size).toBe(names.length);
      parts += names.length;
    }),
    { numRuns: 300, seed: 7 },
  );
  expect(parts).toBeGreaterThan(50);
});
