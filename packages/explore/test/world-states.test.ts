import { type Task } from '@hmm/kernel';
import { MAP_ANONYMOUS, MAP_SHARED, PROT_READ, PROT_WRITE, cpuWriteByte, sysMmap } from '@hmm/mm';
import { describe, expect, test } from 'vitest';
import { type MirrorDevices } from '../src/world/mirror-devices.js';
import { World } from '../src/world/world.js';
import { WorldModel } from '../src/world/world-model.js';
import { FailureBudget } from '../src/world/failure-budget.js';
import { WorldStates } from '../src/world/world-states.js';

const ADDRESS = 1 << 20;

function* nothing<T>(result: T): Task<T> {
  return result;
}

/** A world without devices. */
const NO_DEVICES: MirrorDevices = {
  open: () => nothing(0),
  process: () => undefined,
  entries: () => [],
  mirrors: [],
  entryAt: () => -1,
};

/** A world with a page of shared memory that was written, and its states. */
class Small {
  readonly world = new World({ settingNames: () => [], create: () => NO_DEVICES });
  readonly failures = new FailureBudget(this.world.kernel, 2, undefined);
  readonly states = new WorldStates(this.world, [], this.failures);

  constructor() {
    const { world } = this;
    world.runSync(sysMmap(world.main, ADDRESS, 2, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS));
    world.runSync(cpuWriteByte(world.main, ADDRESS, 0, 5));
    this.failures.start({ choose: () => 0 });
  }
}

/** No agent has anything in mind. */
const NOTHING = { lowOf: () => 0, highOf: () => 0, forEach: () => undefined };

/** The key of a world after `change`. */
function keyAfter(change: (small: Small) => void): number {
  const small = new Small();
  change(small);
  const key = small.states.key(NOTHING, 0);
  if (key === undefined) throw new Error('the state cannot be told');
  return key;
}

describe('two states are told apart', () => {
  const plain = keyAfter(() => undefined);

  test('unless nothing differs', () => {
    expect(keyAfter(() => undefined)).toBe(plain);
  });

  test.each<[string, (small: Small) => void]>([
    ['by failures that may still happen', ({ failures }): void => void (failures.left -= 1)],
    ['by a memory that the OOM reaper took', ({ world }): void => void (world.main.unstable = true)],
    ['by the users of an address space', ({ world }): void => void (world.main.users += 1)],
    ['by the references to it', ({ world }): void => void (world.main.count += 1)],
    ['by its resident pages', ({ world }): void => void (world.main.rssShmem += 1)],
    [
      'by the size of a file',
      ({ world }): void => {
        const [file] = world.system.addressSpaces;
        if (file === undefined || file === null) throw new Error('no file');
        file.size++;
      },
    ],
    ['by a byte', ({ world }): number => world.runSync(cpuWriteByte(world.main, ADDRESS, 0, 6))],
    ['by a pin', ({ world }): void => void world.pins.set(world.main, [{ vpn: ADDRESS, pfn: 1100 }])],
    ['by the place where an agent is', ({ world }): void => void (world.places.done[1] = 7)],
    ['by a slot of the swap device', ({ world }): void => void world.system.swap.alloc()],
  ])('%s', (_what, change) => {
    expect(keyAfter(change)).not.toBe(plain);
  });

  test('but not by ids, nor by what was counted on the way', () => {
    expect(keyAfter(({ world }) => void world.kernel.allocIds(5))).toBe(plain);
    expect(keyAfter(({ world }) => void (world.places.passed[1] = 7))).toBe(plain);
  });
});

describe('a class or a field that nobody declared', () => {
  class Driver {
    readonly mirrors = [];
    pending = 0;

    open(): Task<number> {
      return nothing(0);
    }

    process(): undefined {
      return undefined;
    }

    entries(): [] {
      return [];
    }

    entryAt(): number {
      return -1;
    }
  }
  const program = {
    name: 'none',
    threads: [],
    pages: [],
    state: [],
    failures: 0,
    failureSite: undefined,
    finish: (): { text: string } => ({ text: '' }),
  };

  test('of a driver keeps its world from being explored', () => {
    const world = new World({ settingNames: () => [], create: () => new Driver() });
    expect(() => new WorldModel(world, program)).toThrow(/World\.devices: class Driver declares no state/);
  });

  test('of the core does, too', () => {
    const world = new World({ settingNames: () => [], create: () => NO_DEVICES });
    Object.assign(world.main, { reclaimed: 3 });
    expect(() => new WorldModel(world, program)).toThrow(/class MmStruct has a field "reclaimed"/);
  });
});
