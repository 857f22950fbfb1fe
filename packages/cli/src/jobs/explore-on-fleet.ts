import {
  type Findings,
  mergeFindings,
  type MirrorDevicesFactory,
  type SavedSearch,
  type Subtree,
} from '@hmm/explore';
import type { Fleet, FleetJob } from '@hmm/fleet';
import { HmmError } from '@hmm/kernel';
import type { Checkpoint } from '../litmus/checkpoint.js';
import type { Output } from '../output.js';
import type { Exploration, Explored } from './explore-together.js';
import { openTask, type PlainSearchOptions, type TestResult } from './task.js';

/** The package of fleets, which is installed only where somebody wants one. @throws HmmError `NO_FLEET` where it is not */
export async function fleetPackage(): Promise<typeof import('@hmm/fleet')> {
  try {
    return await import('@hmm/fleet');
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND';
    if (!missing) throw error;
    throw new HmmError(
      'NO_FLEET',
      'a fleet needs the package @hmm/fleet beside this one: npm install @hmm/fleet',
      {},
    );
  }
}

/**
 * Has tests explored by the workers of a fleet, one test after the other, until Ctrl-C at the latest.
 * @param url of the Redis that has their queue. @throws HmmError `NO_FLEET`, `FLEET_URL`, `FLEET_UNREACHABLE`, `FLEET_WORKER`
 */
export async function exploreOnFleet(
  tests: readonly Exploration[],
  options: PlainSearchOptions,
  url: string,
  devices: MirrorDevicesFactory,
  checkpoint: Checkpoint | undefined,
  output: Output,
): Promise<Explored> {
  const { Fleet } = await fleetPackage();
  const fleet = await Fleet.at(url);
  const results: TestResult[] = [];
  let interrupted = false;
  const stop = (): void => {
    interrupted = true;
  };
  process.on('SIGINT', stop);
  try {
    for (const [index, test] of tests.entries()) {
      output.progress(`${index + 1} of ${tests.length}: ${test.name}`);
      try {
        const opened = openTask(test.task, devices, options);
        const saved = await exploreOne(
          fleet,
          test,
          options,
          checkpoint?.find(test.name, test.text),
          () => interrupted,
        );
        results.push(opened.result(saved));
        if (!saved.untouched) checkpoint?.keep(test.name, test.text, saved);
      } catch (error) {
        if (!(error instanceof HmmError) || error.code.startsWith('FLEET_')) throw error;
        return { results, interrupted, problem: { index, error } };
      }
      if (isSet(() => interrupted)) break;
    }
  } finally {
    process.off('SIGINT', stop);
    output.progress('');
    await fleet.close();
  }
  checkpoint?.write();
  if (isSet(() => interrupted))
    output.say(`interrupted: ${results.length} of ${tests.length} tests were begun`);
  return { results, interrupted };
}

/** What the fleet has found, with what was found before, and what is left; untouched where nobody has begun. */
async function exploreOne(
  fleet: Fleet,
  { task }: Exploration,
  { maxSeconds = Infinity, maxExecutions = Infinity, strategy, seed, bound, keepGoing }: PlainSearchOptions,
  before: SavedSearch | undefined,
  stopped: () => boolean,
): Promise<SavedSearch & { readonly untouched: boolean }> {
  const how = {
    ...(strategy === undefined ? {} : { strategy }),
    ...(seed === undefined ? {} : { seed }),
    ...(bound === undefined ? {} : { bound }),
    ...(keepGoing === undefined ? {} : { keepGoing }),
  };
  const parts: readonly (Subtree | null)[] = before?.left ?? [null];
  const jobs = parts.map((part): FleetJob => ({ version: 1, task, options: how, part, round: 0 }));
  const end = performance.now() + 1000 * maxSeconds;
  let executions = 0;
  const found = await fleet.explore(jobs, (more) => {
    for (const each of more) executions += each.found.executions;
    return !stopped() && performance.now() < end && executions < maxExecutions;
  });
  const earlier: Findings[] = before === undefined ? [] : [{ ...before, complete: true }];
  const left = found.left.filter((part) => part !== null);
  const all = mergeFindings([...earlier, ...found.parts]);
  const untouched = left.length < found.left.length;
  return { ...all, complete: all.complete && found.left.length === 0, left, untouched };
}

/** The value of something that another function sets meanwhile. */
const isSet = (value: () => boolean): boolean => value();
