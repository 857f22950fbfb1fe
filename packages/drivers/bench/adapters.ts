import { ACCESS_READ, type AccessStream, type DeviceClient } from '@hmm/device';
import { Kernel, type Task } from '@hmm/kernel';
import { MAP_ANONYMOUS, MAP_PRIVATE, MemorySystem, mmCreate, sysMmap } from '@hmm/mm';
import { Mlx5Client } from '@hmm/mlx5-model';
import { RxeClient } from '@hmm/rxe-model';

/** 1 GiB. */
const PAGES = 262_144;
const ROUNDS = 16;

/** An adapter that has to read 1 GiB of a process that has not touched it. */
function cold(client: (memory: MemorySystem) => DeviceClient): { readonly read: () => void } {
  const kernel = new Kernel();
  const run = <T>(task: Task<T>): T => kernel.sched.runSync(task);
  const frames = 2 * PAGES;
  const memory = new MemorySystem(kernel, { frames, systemFrames: frames, maxTables: 2048 });
  const mm = mmCreate(memory);
  const opened = run(client(memory).openProcess(mm));
  if (!opened.ok) throw new Error(opened.reason);
  const base = run(sysMmap(mm, 0, PAGES, 3, MAP_PRIVATE | MAP_ANONYMOUS));
  const stream: AccessStream = {
    access: ACCESS_READ,
    shape: 'stream',
    base,
    pages: Int32Array.from({ length: PAGES }, (_, i) => i),
    offset: 0,
    width: 4,
    values: undefined,
  };
  return {
    read(): void {
      const { errno, done } = run(opened.process.launch(stream));
      if (errno !== 0 || done !== PAGES) throw new Error(`${errno} after ${done}`);
    },
  };
}

const perSecond = (pages: number, ms: number): number => pages / ms / 1000;

/** The same number of table look-ups and stores as a bare loop. */
function bareLoop(rounds: number): number {
  const table = new Int32Array(2 * PAGES).fill(1);
  const pages = Int32Array.from({ length: PAGES }, (_, i) => i);
  let found = 0;
  const from = performance.now();
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < PAGES; i++) if (((table[2 * (pages[i] ?? 0)] ?? 0) & 1) !== 0) found++;
  }
  const ms = performance.now() - from;
  if (found !== rounds * PAGES) throw new Error('the loop did not run');
  return perSecond(rounds * PAGES, ms);
}

const ADAPTERS = [
  ['rxe', (memory: MemorySystem): DeviceClient => new RxeClient(memory)],
  ['mlx5', (memory: MemorySystem): DeviceClient => new Mlx5Client(memory)],
] as const;

export const benchmarks = ADAPTERS.flatMap(([name, client]) => [
  {
    name: `${name}: 1 GiB read once from cold memory`,
    unit: 'M faults/s',
    goal: 1,
    run(): { value: number; reference: number } {
      const { read } = cold(client);
      const from = performance.now();
      read();
      return { value: perSecond(PAGES, performance.now() - from), reference: bareLoop(1) };
    },
  },
  {
    name: `${name}: 1 GiB read from mapped memory`,
    unit: 'M pages/s',
    goal: 30,
    run(): { value: number; reference: number } {
      const { read } = cold(client);
      read();
      const from = performance.now();
      for (let round = 0; round < ROUNDS; round++) read();
      return { value: perSecond(ROUNDS * PAGES, performance.now() - from), reference: bareLoop(ROUNDS) };
    },
  },
]);
