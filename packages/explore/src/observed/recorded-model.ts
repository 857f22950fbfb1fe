import type { Task } from '@hmm/kernel';
import type { MirrorDevicesFactory } from '../world/mirror-devices.js';
import { type Operation, pagesOf } from '../world/operation.js';
import { formatResult } from '../world/recorded-operation.js';
import { runOperation } from '../world/run-operation.js';
import { WorldModel } from '../world/world-model.js';
import { firstPage, place, World } from '../world/world.js';
import type { RecordedTest } from './recorded-test.js';

/**
 * A recorded test as a model. Its outcomes are texts of the form in which recordings give them.
 */
export function recordedModel(
  test: Omit<RecordedTest, 'outcomes'>,
  devices: MirrorDevicesFactory,
  settings: ReadonlyMap<string, string> = new Map(),
): WorldModel {
  const world = new World(devices, settings);
  for (const operation of test.init) {
    // As on the real kernel, what an operation at the start returns is not looked at.
    world.runSync(runOperation(world, world.main, operation));
  }
  const results: string[][] = test.threads.map(() => []);
  return new WorldModel(world, {
    name: test.name,
    pages: pagesOf([test.init, ...test.threads, test.final].flat()).map(firstPage),
    state: [results],
    failures: 0,
    failureSite: undefined,
    threads: test.threads.map((operations, i) => ({
      name: `T${i}`,
      run: () => runThread(world, operations, results[i] ?? []),
    })),
    finish: () => {
      const final = test.final.map((operation) =>
        formatResult(operation, world.runSync(runOperation(world, world.main, operation))),
      );
      return { text: JSON.stringify({ threads: results, final }) };
    },
  });
}

function* runThread(world: World, operations: readonly Operation[], results: string[]): Task {
  for (const operation of operations) {
    yield* place(world);
    world.places.begin(world.kernel.sched.current.id);
    results.push(formatResult(operation, yield* runOperation(world, world.main, operation)));
    world.done++;
  }
}
