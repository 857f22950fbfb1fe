import { gpuPreset } from '@hmm/gpu';
import { Kernel, type Task } from '@hmm/kernel';
import { MAP_ANONYMOUS, MAP_PRIVATE, MemorySystem, PROT_READ, PROT_WRITE, mmCreate, sysMmap } from '@hmm/mm';
import { NouveauClient, type NouveauProcess } from '@hmm/nouveau-model';

const PAGES = 16_384;

/** A process with `PAGES` pages of memory and the device file open. */
function setUp(): { kernel: Kernel; process: NouveauProcess; vpn: number } {
  const kernel = new Kernel();
  const memory = new MemorySystem(kernel, { frames: 131_072, systemFrames: 65_536, maxTables: 1024 });
  const client = new NouveauClient(kernel, memory, gpuPreset('p100'));
  const mm = mmCreate(memory);
  const opened = kernel.sched.runSync(client.openProcess(mm));
  if (!opened.ok) throw new Error(opened.reason);
  const flags = MAP_PRIVATE | MAP_ANONYMOUS;
  const vpn = kernel.sched.runSync(sysMmap(mm, 0, PAGES, PROT_READ | PROT_WRITE, flags));
  return { kernel, process: opened.process, vpn };
}

function run(kernel: Kernel, task: Task<unknown>): number {
  const start = performance.now();
  kernel.sched.spawn('bench', task);
  kernel.sched.run();
  return performance.now() - start;
}

/** GPU stores to memory that nobody has touched: every page is a fault. */
function faults(shape: 'serial' | 'parallel'): { value: number } {
  const { kernel, process, vpn } = setUp();
  const pages = Int32Array.from({ length: PAGES }, (_, i) => i);
  const values = new Uint32Array(PAGES).fill(7);
  const ms = run(kernel, process.launch({ access: 2, shape, base: vpn, pages, offset: 0, width: 4, values }));
  return { value: PAGES / ms / 1000 };
}

/** SVM_BIND of memory that nobody has touched: each page is allocated, cleared, migrated and mapped. */
function bind(): { value: number } {
  const { kernel, process, vpn } = setUp();
  return { value: PAGES / run(kernel, process.prefetch(vpn, PAGES, 'gpu')) / 1000 };
}

/** A bare loop of the same shape: a page gets a frame in one flat table, and an entry in another, M pages/s. */
function bare(): number {
  const cpu = new Int32Array(2 * PAGES);
  const gpu = new Int32Array(2 * PAGES);
  const rounds = 64;
  const start = performance.now();
  for (let round = 1; round <= rounds; round++) {
    for (let page = 0; page < PAGES; page++) {
      if ((cpu[2 * page] ?? 0) < round) {
        cpu[2 * page] = round;
        cpu[2 * page + 1] = page;
      }
      gpu[2 * page] = cpu[2 * page] ?? 0;
      gpu[2 * page + 1] = cpu[2 * page + 1] ?? 0;
    }
  }
  return (rounds * PAGES) / (performance.now() - start) / 1000;
}

/** How fast the driver's own work is modelled, beside a bare loop. */
export const benchmarks: readonly {
  readonly name: string;
  readonly unit: string;
  run(): { value: number; reference: number };
}[] = [
  {
    name: 'nouveau: GPU faults one at a time',
    unit: 'M faults/s',
    run: () => ({ ...faults('serial'), reference: bare() }),
  },
  {
    name: 'nouveau: GPU faults of one kernel at once',
    unit: 'M pages/s',
    run: () => ({ ...faults('parallel'), reference: bare() }),
  },
  { name: 'nouveau: SVM_BIND', unit: 'M pages/s', run: () => ({ ...bind(), reference: bare() }) },
];
