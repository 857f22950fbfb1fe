import type { Task } from '@hmm/kernel';
import { type RecordedOperation, runBound } from '@hmm/operations';
import { outcomeWord } from '@hmm/operations/internal';
import { MAIN_PROCESS } from '@hmm/workload';
import { checkSettings } from '../world/known-settings.js';
import type { MirrorDevicesFactory } from '../world/mirror-devices.js';
import { WorldContext } from '../world/world-context.js';
import { pagesNamed, WorldModel } from '../world/world-model.js';
import { place, World } from '../world/world.js';
import type { RecordedTest } from './recorded-test.js';

/**
 * A recorded test as a model. Its outcomes are texts of the form in which recordings give them.
 */
export function recordedModel(
  test: Omit<RecordedTest, 'outcomes'>,
  devices: MirrorDevicesFactory,
  settings: ReadonlyMap<string, string> = new Map(),
): WorldModel {
  checkSettings(settings, devices);
  const world = new World(devices, settings);
  const context = new WorldContext(world, world.processOr(MAIN_PROCESS));
  const run = function* (operation: RecordedOperation): Task<string> {
    return outcomeWord(operation, yield* runBound(context, operation));
  };
  for (const operation of test.init) {
    // As on the real kernel, what an operation at the start returns is not looked at.
    world.runSync(run(operation));
  }
  const results: string[][] = test.threads.map(() => []);
  return new WorldModel(world, {
    name: test.name,
    pages: pagesNamed([test.init, ...test.threads, test.final].flat()),
    state: [results],
    failures: 0,
    failureSite: undefined,
    threads: test.threads.map((operations, i) => ({
      name: `T${i}`,
      run: () => runThread(world, operations, run, results[i] ?? []),
    })),
    finish: () => {
      const final = test.final.map((operation) => world.runSync(run(operation)));
      return { text: JSON.stringify({ threads: results, final }) };
    },
  });
}

function* runThread(
  world: World,
  operations: readonly RecordedOperation[],
  run: (operation: RecordedOperation) => Task<string>,
  results: string[],
): Task {
  for (const operation of operations) {
    yield* place(world);
    world.places.begin(world.kernel.sched.current.id);
    results.push(yield* run(operation));
    world.done++;
  }
}
