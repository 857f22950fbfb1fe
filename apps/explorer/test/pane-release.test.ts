import { RELEASES } from '@hmm/kernel';
import { allDrivers } from '@hmm/drivers';
import { parseProgram } from '@hmm/workload';
import { expect, test } from 'vitest';
import { buildPane } from '../src/engine/pane-machine.js';
import { releaseOf, withRelease } from '../src/state/pane-release.js';

const TEXT = 'device D0\nmalloc a 4pages\ngpu write a\n';

function releaseOfMachine(settings: readonly string[], text = TEXT): string {
  const parsed = parseProgram(text, 'program');
  if (!parsed.ok) throw new Error(parsed.errors.map(({ message }) => message).join());
  const pane = buildPane(parsed.program, { client: 'nouveau', gpu: '', settings }, allDrivers(), false);
  if (!pane.ok) throw new Error(pane.message);
  return pane.machine.kernel.release;
}

test('the release of a pane is one of its settings, which the others do not mind', () => {
  expect(releaseOf(['rounds=8'])).toBe('');
  const chosen = withRelease(['rounds=8', 'release=6.12'], '7.3');
  expect([chosen, releaseOf(chosen)]).toEqual([['release=7.3', 'rounds=8'], '7.3']);
  expect(withRelease(chosen, '')).toEqual(['rounds=8']);
});

test('a pane runs on the release chosen, else on the program’s, else on the newest that is exact', () => {
  for (const release of RELEASES) expect(releaseOfMachine(withRelease([], release))).toBe(release);
  expect(releaseOfMachine([])).toBe('7.3');
  expect(releaseOfMachine([], `set release = 6.12\n${TEXT}`)).toBe('6.12');
  expect(releaseOfMachine(withRelease([], '6.19'), `set release = 6.12\n${TEXT}`)).toBe('6.19');
});
