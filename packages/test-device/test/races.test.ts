import { AGENT_READY, HmmError, Kernel, Prng, type Task } from '@hmm/kernel';
import {
  cpuReadByte,
  cpuWriteByte,
  MADV_DONTNEED,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MemorySystem,
  mmCreate,
  sysMadvise,
  sysMmap,
  sysMunmap,
} from '@hmm/mm';
import { describe, expect, test } from 'vitest';
import type { DeviceOperationResult } from '@hmm/device';
import { MirrorOperations, testDeviceInvariants } from '@hmm/test-device';

const BASE = 0x1_0000_0000;

/** Four written pages, mirrored by device 0. */
class Race {
  readonly kernel = new Kernel();
  readonly system = new MemorySystem(this.kernel, {
    frames: 4096,
    systemFrames: 2048,
    maxTables: 64,
    swapSlots: 8,
  });
  readonly devices: MirrorOperations;
  readonly mm = mmCreate(this.system);
  reply: DeviceOperationResult | undefined;

  constructor(corrected: boolean) {
    this.kernel.sched.lockdep.enabled = true;
    this.devices = new MirrorOperations(this.system, { chunkPages: 64, maxTables: 32, corrected });
    const { sched } = this.kernel;
    sched.runSync(sysMmap(this.mm, BASE, 4, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED));
    sched.runSync(this.devices.open(0, this.mm));
    for (let i = 0; i < 4; i++) sched.runSync(cpuWriteByte(this.mm, BASE + i, 0, 5 + i));
  }

  *device(call: 'todev' | 'dread', pages: number): Task {
    this.reply = yield* this.devices.call(0, this.mm, call, BASE, pages, 0);
  }

  *write(pages: number): Task {
    for (let i = 0; i < pages; i++) yield* cpuWriteByte(this.mm, BASE + i, 0, 7 + i);
  }

  /** Runs the threads in a random order of their steps. @returns what went wrong, or undefined. */
  run(seed: number, threads: readonly Task<unknown>[]): string | undefined {
    const { sched } = this.kernel;
    for (const thread of threads) sched.spawn('thread', thread);
    const random = new Prng(seed);
    sched.exploring = true;
    try {
      for (;;) {
        const ready = sched.agents.filter((agent) => agent.task !== undefined && agent.state === AGENT_READY);
        const agent = ready[random.below(ready.length)];
        if (agent === undefined) break;
        sched.step(agent);
      }
    } catch (error) {
      if (error instanceof HmmError) return error.code;
      throw error;
    }
    expect(
      sched.agents.filter((agent) => agent.state !== AGENT_READY || agent.task === undefined),
    ).toHaveLength(threads.length + 1);
    for (const [name, rule] of Object.entries(testDeviceInvariants)) {
      if (rule(this.devices.device) !== undefined) return name;
    }
    return undefined;
  }
}

/** What goes wrong in so many random schedules. */
function outcomes(
  corrected: boolean,
  schedules: number,
  threads: (race: Race) => readonly Task<unknown>[],
  judge: (race: Race) => string | undefined = () => undefined,
): Set<string> {
  const found = new Set<string>();
  for (let seed = 0; seed < schedules; seed++) {
    const race = new Race(corrected);
    const broken = race.run(seed, threads(race)) ?? judge(race);
    if (broken !== undefined) found.add(broken);
  }
  return found;
}

const dontneed = (race: Race): readonly Task<unknown>[] => [
  race.device('todev', 4),
  sysMadvise(race.mm, BASE, 4, MADV_DONTNEED),
];
const threeWay = (race: Race): readonly Task<unknown>[] => [
  race.device('todev', 2),
  race.write(2),
  race.device('dread', 2),
];

describe('the real device', () => {
  test('enters pages that MADV_DONTNEED freed in the middle of their migration', () => {
    expect(outcomes(false, 200, dontneed).size).toBeGreaterThan(0);
  });

  test('reads device memory that a CPU fault freed between the walk and the table: the crash', () => {
    expect([...outcomes(false, 1500, threeWay)]).toContain('UNADDRESSABLE');
  });
});

describe('the corrected device', () => {
  test('has neither', () => {
    expect([...outcomes(true, 200, dontneed)]).toEqual([]);
    expect([...outcomes(true, 600, threeWay)]).toEqual([]);
  });
});

test('a device that reads while the range is unmapped gets the data or -EFAULT, never something else', () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 100; seed++) {
    const race = new Race(false);
    expect(race.run(seed, [race.device('dread', 1), sysMunmap(race.mm, BASE, 1)])).toBeUndefined();
    seen.add(`${race.reply?.rc ?? ''}:${race.reply?.values.join() ?? ''}`);
  }
  expect([...seen].sort()).toEqual(['-14:', '0:5']);
});

test('two threads that touch a private page both get its data', () => {
  for (let seed = 0; seed < 60; seed++) {
    const race = new Race(false);
    race.kernel.sched.runSync(race.device('todev', 4));
    const read = function* (): Task<number[]> {
      const values: number[] = [];
      for (let i = 0; i < 4; i++) values.push(yield* cpuReadByte(race.mm, BASE + i, 0));
      return values;
    };
    expect(race.run(seed, [read(), read()])).toBeUndefined();
    const { agents } = race.kernel.sched;
    expect([agents[1]?.result, agents[2]?.result]).toEqual([
      [5, 6, 7, 8],
      [5, 6, 7, 8],
    ]);
  }
});
