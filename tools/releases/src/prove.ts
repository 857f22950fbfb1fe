import { type GoldenFile, goldenText } from '@hmm/golden';
import { HmmError, type Release } from '@hmm/kernel';
import { ConformReplay } from '@hmm/test-device/conform';
import { holds, SELF_TESTS } from './self-tests.js';
import { allRows } from './tables.js';

/** What fails when a behaviour is flipped in a release. */
export interface Proof {
  readonly behaviour: string;
  readonly release: Release;
  /** The recorded operation or the self-test; null where nothing fails. */
  readonly by: string | null;
}

/** The recordings that a flip is replayed against, in turn, by release. */
export const RECORDINGS: readonly (readonly [Release, readonly GoldenFile[]])[] = [
  ['6.12', ['linux-6.12/public.jsonl.gz']],
  ['7.3', ['linux-7.3/public.jsonl.gz', 'linux-7.3/more-1.jsonl.gz']],
];

/**
 * Flips a behaviour in each release that was recorded, and looks for what fails then: a self-test (which must hold before), else
 * a recorded operation.
 * @param files how many of a release's recordings are replayed at most.
 */
export function prove(behaviour: string, files = Infinity): Proof[] {
  const row = allRows().get(behaviour);
  if (row === undefined) throw new HmmError('NO_BEHAVIOUR', `no behaviour is called ${behaviour}`);
  return RECORDINGS.map(([release, recordings]) => {
    const has = row.releases.includes(release);
    const by =
      failingSelfTest(behaviour, release, has) ?? failingOperation(behaviour, release, recordings, files);
    return { behaviour, release, by: by ?? null };
  });
}

function failingSelfTest(behaviour: string, release: Release, has: boolean): string | undefined {
  return SELF_TESTS.find(
    (test) =>
      test.behaviour === behaviour &&
      test.on.includes(release) &&
      holds(test, has, release, []) &&
      !holds(test, has, release, [behaviour]),
  )?.name;
}

function failingOperation(
  behaviour: string,
  release: Release,
  recordings: readonly GoldenFile[],
  files: number,
): string | undefined {
  for (const [i, file] of recordings.entries()) {
    if (i >= files) break;
    const found = firstDifference(file, release, behaviour);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The first recorded operation that differs, or at which the model stops. */
function firstDifference(file: GoldenFile, release: Release, behaviour: string): string | undefined {
  const replay = new ConformReplay({ release, flipped: [behaviour] });
  for (const line of linesOf(file)) {
    try {
      replay.feed(line);
    } catch (error) {
      if (!(error instanceof HmmError)) throw error;
      return `${file}: ${line.slice(0, 60)} (${error.code})`;
    }
    const [mismatch] = replay.result.mismatches;
    if (mismatch !== undefined) return `${mismatch.script}: ${mismatch.op}`;
  }
  return undefined;
}

const texts = new Map<GoldenFile, readonly string[]>();

function linesOf(file: GoldenFile): readonly string[] {
  let lines = texts.get(file);
  if (lines === undefined) {
    lines = goldenText(file)
      .split('\n')
      .filter((line) => line !== '');
    texts.set(file, lines);
  }
  return lines;
}
