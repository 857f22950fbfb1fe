import { Explorer, type Model } from '@hmm/explore';
import { type Outcome, RandomWalk } from '@hmm/explore/internal';
import { GPU_ACCESS_WRITE, GPU_FAULT_INVALID_PTE, GPU_PTE_VALID, gpuPreset } from '@hmm/gpu';
import { Kernel, type Task } from '@hmm/kernel';
import { SavedState } from '@hmm/kernel/internal';
import {
  cpuReadByte,
  cpuWriteByte,
  dupMm,
  MADV_FREE,
  MADV_PAGEOUT,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MAP_SHARED,
  MemorySystem,
  mmCreate,
  type MmStruct,
  PROT_READ,
  PROT_WRITE,
  sysMadvise,
  sysMmap,
} from '@hmm/mm';
import { shmemFileSetup } from '@hmm/mm/internal';
import { NouveauClient, type NouveauClientOptions, type NouveauProcess } from '@hmm/nouveau-model';
import { type NouveauDefect, NOUVEAU_DEFECTS, nouveauSvmFault } from '@hmm/nouveau-model/internal';
import { describe, expect, test } from 'vitest';

const RW = PROT_READ | PROT_WRITE;
const ANON = MAP_PRIVATE | MAP_ANONYMOUS;
/** Of the random walks. */
const SEED = 16;
const EXECUTIONS = 40;
/** An execution longer than that goes round in circles. */
const MAX_STEPS = 3000;
/** Where tests map their memory. */
const A = 0x1000;

/** What the threads of a test do, on a machine that is made for one execution. */
interface Small {
  readonly memory: MemorySystem;
  readonly client: NouveauClient;
  readonly mm: MmStruct;
  readonly process: NouveauProcess;
  run<T>(task: Task<T>): T;
}

/** A small concurrent test: what comes before the threads, the threads, and what must hold at the end. */
interface Litmus {
  readonly options?: NouveauClientOptions;
  readonly init: (s: Small) => void;
  readonly threads: (s: Small) => readonly Task<unknown>[];
  readonly holds: (s: Small) => string | undefined;
}

/** A test as the explorer takes it. */
class DefectModel implements Model {
  readonly name: string;
  readonly kernel = new Kernel();
  readonly sched = this.kernel.sched;
  private readonly initial = new SavedState([this.kernel]);
  private readonly litmus: Litmus;
  private readonly mended: readonly NouveauDefect[];
  private small: Small | undefined;

  constructor(name: string, litmus: Litmus, mended: readonly NouveauDefect[]) {
    this.name = name;
    this.litmus = litmus;
    this.mended = mended;
  }

  start(): void {
    const { kernel, sched, litmus, mended } = this;
    sched.reset();
    this.initial.restore();
    const { exploring } = sched;
    sched.exploring = false;
    const memory = new MemorySystem(kernel, {
      frames: 8192,
      systemFrames: 2048,
      maxTables: 64,
      swapSlots: 64,
    });
    const client = new NouveauClient(kernel, memory, gpuPreset('p100'), { ...litmus.options, mended });
    const mm = mmCreate(memory);
    const run = <T>(task: Task<T>): T => sched.runSync(task);
    const opened = run(client.openProcess(mm));
    if (!opened.ok) throw new Error(opened.reason);
    const small = { memory, client, mm, process: opened.process, run };
    this.small = small;
    litmus.init(small);
    for (const { name, task } of client.workers()) sched.spawnDaemon(name, task);
    sched.exploring = exploring;
    for (const [i, task] of litmus.threads(small).entries()) sched.spawn(`T${i}`, task);
  }

  finish(): Outcome {
    if (this.small === undefined) return { text: '' };
    const detail = this.litmus.holds(this.small);
    const text = detail ?? 'as it should be';
    return detail === undefined ? { text } : { text, violation: { invariant: 'HOLDS', detail } };
  }
}

const map = (s: Small, pages: number, at = A): void => {
  s.run(sysMmap(s.mm, at, pages, RW, ANON));
  for (let i = 0; i < pages; i++) s.run(cpuWriteByte(s.mm, at + i, 0, i + 1));
};

/** The GPU has faulted on the page and maps it, for stores. */
const mapped = (s: Small, vpn: number): void => {
  const { svm } = s.client.drm;
  s.client.device.gpu.faultBuffer.push(
    s.process.channel.inst,
    vpn,
    GPU_ACCESS_WRITE,
    GPU_FAULT_INVALID_PTE,
    0,
    0,
  );
  if (svm !== undefined) s.run(nouveauSvmFault(svm));
};

function* launch(s: Small, vpn: number, access: 1 | 2 | 3, value: number, into: number[] = []): Task {
  const values = new Uint32Array(1).fill(value);
  const pages = new Int32Array(1);
  const stream = { access, shape: 'serial', base: vpn, pages, offset: 0, width: 1, values } as const;
  const { errno } = yield* s.process.launch(stream);
  into.push(errno);
}

/** The GPU maps a frame at `vpn` that nobody has any more. */
const stale = (s: Small, vpn: number, process = s.process): string | undefined => {
  const table = process.instance?.table;
  if (table === undefined || (table.flags(vpn) & GPU_PTE_VALID) === 0) return undefined;
  return s.memory.map.refcount[table.frame(vpn)] === 0 ? 'the GPU maps a frame that is free' : undefined;
};

const TESTS: Readonly<Partial<Record<NouveauDefect, () => Litmus>>> = {
  keepsSourceMappings: () => ({
    init: (s) => {
      map(s, 1);
      mapped(s, A);
    },
    threads: (s) => [launch(s, A, 2, 9), s.process.prefetch(A, 1, 'gpu')],
    holds: (s) => (s.run(cpuReadByte(s.mm, A, 0)) === 9 ? undefined : 'the store of the GPU is lost'),
  }),
  keepsFreedSvmm: () => ({
    init: (s) => {
      map(s, 1);
      s.run(s.process.prefetch(A, 1, 'gpu'));
    },
    threads: (s) => [s.process.close(), cpuReadByte(s.mm, A, 0)],
    holds: () => undefined,
  }),
  mapsRefusedPages: () => ({
    init: (s) => {
      const file = shmemFileSetup(s.memory, 1);
      if (file !== null) s.run(sysMmap(s.mm, A, 1, RW, MAP_SHARED, { file }));
      s.run(cpuWriteByte(s.mm, A, 0, 1));
    },
    threads: (s) => [s.process.prefetch(A, 1, 'gpu'), cpuReadByte(s.mm, A, 0)],
    holds: (s) => stale(s, A),
  }),
  ignoresMapFailure: () => ({
    options: { unmanaged: { addr: A * 4096, size: 4096 } },
    init: (s) => {
      map(s, 2);
      mapped(s, A + 1);
    },
    threads: (s) => [cpuReadByte(s.mm, A, 0), s.process.prefetch(A, 2, 'gpu')],
    holds: (s) => stale(s, A + 1),
  }),
  ownerIsDevice: () => {
    let other: NouveauProcess | undefined;
    return {
      init: (s) => {
        map(s, 1);
        mapped(s, A);
        const opened = s.run(s.client.openProcess(s.mm));
        if (opened.ok) other = opened.process;
      },
      threads: (s) => [
        cpuReadByte(s.mm, A + 1, 0),
        other === undefined ? nothing() : other.prefetch(A, 1, 'gpu'),
      ],
      holds: (s) => stale(s, A),
    };
  },
  neverMarksDirty: () => ({
    init: (s) => {
      map(s, 1);
      s.run(sysMadvise(s.mm, A, 1, MADV_FREE));
      mapped(s, A);
    },
    threads: (s) => [launch(s, A, 2, 9), sysMadvise(s.mm, A, 1, MADV_PAGEOUT)],
    holds: (s) => (s.run(cpuReadByte(s.mm, A, 0)) === 9 ? undefined : 'the store of the GPU is lost'),
  }),
  readOnlyVram: () => ({
    init: (s) => {
      map(s, 1);
      s.run(s.process.prefetch(A, 1, 'gpu'));
      s.run(dupMm(s.mm));
    },
    threads: (s) => [launch(s, A, 2, 9)],
    holds: () => undefined,
  }),
  retriesOwnExclusive: () => {
    const errnos: number[] = [];
    return {
      init: (s) => {
        errnos.length = 0;
        map(s, 1);
        s.run(s.process.prefetch(A, 1, 'gpu'));
      },
      threads: (s) => [launch(s, A, 3, 1, errnos)],
      holds: () => (errnos[0] === 0 ? undefined : 'the atomic has killed its channel'),
    };
  },
};

function* nothing(): Task {}

/** The first thing that is found broken. */
function explore(name: string, litmus: Litmus, mended: readonly NouveauDefect[]): string | undefined {
  const model = new DefectModel(name, litmus, mended);
  const explorer = new Explorer(model, new RandomWalk(SEED), { maxSteps: MAX_STEPS });
  explorer.run(EXECUTIONS);
  const [found] = explorer.violations.values();
  return found === undefined ? undefined : `${found.invariant}: ${found.detail}`;
}

describe('the explorer finds', () => {
  test.each(Object.entries(TESTS))('%s', { timeout: 120_000 }, (name, make) => {
    const others = NOUVEAU_DEFECTS.filter((one) => one !== name && !HIDDEN_BY.includes(one));
    expect(explore(name, make(), others)).toBeDefined();
    expect(explore(name, make(), NOUVEAU_DEFECTS)).toBeUndefined();
  });
});

/** Mended, these would hide others: what is passed over by nobody is never stale. */
const HIDDEN_BY: readonly NouveauDefect[] = ['ownerIsDevice', 'keepsSourceMappings'];
