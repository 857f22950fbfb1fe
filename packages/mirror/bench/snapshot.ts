import { Kernel, type Task } from '@hmm/kernel';
import { cpuWriteByte, MAP_ANONYMOUS, MAP_PRIVATE, MemorySystem, mmCreate, sysMmap } from '@hmm/mm';
import { mmuIntervalNotifierInsert, mmuIntervalReadBegin, mmuIntervalSetSeq } from '@hmm/mmu-notifier';
import { HMM_PFN_REQ_FAULT, HMM_PFN_REQ_WRITE, hmmRangeFault, type HmmRange } from '@hmm/mirror';

const PAGES = 512 * 1024;
const CALL = 4096;
const ROUNDS = 8;

const perSecond = (pages: number, ms: number): number => pages / ms / 1000;

interface Populated {
  readonly range: HmmRange;
  readonly first: number;
  readonly fault: () => void;
}

/** A range of `CALL` pages inside 2 GiB of populated memory, and a way to fault it. */
function populated(): Populated {
  const kernel = new Kernel();
  const system = new MemorySystem(kernel, { frames: 2 * PAGES, systemFrames: 2 * PAGES, maxTables: 4096 });
  const mm = mmCreate(system);
  const run = <T>(task: Task<T>): T => kernel.sched.runSync(task);
  const first = run(sysMmap(mm, 0, PAGES, 3, MAP_PRIVATE | MAP_ANONYMOUS));
  run(cpuWriteByte(mm, first, 0, 1));
  const ops = {
    invalidate: (sub: Parameters<typeof mmuIntervalSetSeq>[0], _range: unknown, seq: number): boolean => {
      mmuIntervalSetSeq(sub, seq);
      return true;
    },
  };
  const notifier = run(mmuIntervalNotifierInsert(mm, first, PAGES, ops));
  if (typeof notifier === 'number') throw new Error(`insert: ${notifier}`);
  const range: HmmRange = {
    notifier,
    notifierSeq: run(mmuIntervalReadBegin(notifier)),
    start: first,
    end: first + CALL,
    hmmPfns: new Int32Array(2 * CALL),
    defaultFlags: HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE,
    pfnFlagsMask: 0,
    devPrivateOwner: 0,
  };
  const fault = (): void => {
    const done = hmmRangeFault(mm, range);
    if ((typeof done === 'number' ? done : run(done)) !== 0) throw new Error('the range did not fault');
  };
  return { range, first, fault };
}

/** Faults all of the memory, call by call. */
function everyCall({ range, first, fault }: Populated): void {
  for (let at = first; at < first + PAGES; at += CALL) {
    range.start = at;
    range.end = at + CALL;
    fault();
  }
}

/** The tables read into the array, 4,096 pages a call, beside a copy of as many pairs of words with two tests. */
function snapshot(): { value: number; reference: number } {
  const bench = populated();
  everyCall(bench);
  bench.range.defaultFlags = 0;
  const from = performance.now();
  for (let round = 0; round < ROUNDS; round++) everyCall(bench);
  const value = perSecond(ROUNDS * PAGES, performance.now() - from);
  return { value, reference: bareCopy() };
}

function bareCopy(): number {
  const source = new Int32Array(2 * PAGES).fill(3);
  const target = new Int32Array(2 * CALL);
  const copy = (at: number): void => {
    for (let i = 0; i < 2 * CALL; i += 2) {
      const flags = source[at + i] ?? 0;
      if ((flags & 0x61) !== 1) continue;
      target[i] = flags & 3;
      target[i + 1] = source[at + i + 1] ?? 0;
    }
  };
  const from = performance.now();
  for (let round = 0; round < ROUNDS; round++) for (let at = 0; at < 2 * PAGES; at += 2 * CALL) copy(at);
  return perSecond(ROUNDS * PAGES, performance.now() - from);
}

/** First touch of anonymous memory through write requests. */
function faultIn(): { value: number } {
  const bench = populated();
  const from = performance.now();
  everyCall(bench);
  return { value: perSecond(PAGES, performance.now() - from) };
}

export const benchmarks = [
  { name: 'hmmRangeFault: snapshot of populated memory', unit: 'M pages/s', goal: 30, run: snapshot },
  { name: 'hmmRangeFault: faulting untouched memory in for writing', unit: 'M pages/s', run: faultIn },
];
