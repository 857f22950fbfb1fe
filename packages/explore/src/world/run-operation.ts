import { EFAULT, HmmError, SP_PREEMPT, type Task } from '@hmm/kernel';
import {
  cpuReadByte,
  cpuWriteByte,
  dupMm,
  FOLL_LONGTERM,
  FOLL_WRITE,
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_HUGEPAGE,
  MADV_NOHUGEPAGE,
  MADV_PAGEOUT,
  MAP_ANONYMOUS,
  MAP_FIXED_NOREPLACE,
  MAP_PRIVATE,
  MAP_SHARED,
  mmput,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  type MmStruct,
  pinUserPages,
  PROT_EXEC,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
  shmemZeroSetup,
  sysMadvise,
  sysMlock,
  sysMmap,
  sysMprotect,
  sysMremap,
  sysMunlock,
  sysMunmap,
  unpinUserPage,
} from '@hmm/mm';
import type {
  AdviceWord,
  MappingKind,
  Operation,
  OperationResult,
  PageRange,
  ProtectionWord,
} from './operation.js';
import { firstPage, place, type World } from './world.js';

const ADVICE: Readonly<Record<AdviceWord, number>> = {
  dontneed: MADV_DONTNEED,
  free: MADV_FREE,
  pageout: MADV_PAGEOUT,
  hugepage: MADV_HUGEPAGE,
  nohugepage: MADV_NOHUGEPAGE,
  cold: MADV_COLD,
  collapse: MADV_COLLAPSE,
};

const NOTHING: readonly number[] = [];

/** Runs one operation in the name of the process `mm`. */
export function* runOperation(world: World, mm: MmStruct, operation: Operation): Task<OperationResult> {
  switch (operation.name) {
    case 'cr':
    case 'cw':
    case 'forkcr':
    case 'forkcw':
      return { rc: 0, cpages: 0, values: yield* accessOperation(world, mm, operation) };
    case 'device': {
      const { call, device, range, value } = operation;
      return yield* world.devices.call(device, mm, call, firstPage(range), range.pages, value);
    }
    default:
      return { rc: yield* plainOperation(world, mm, operation), cpages: 0, values: NOTHING };
  }
}

type Access = Extract<Operation, { name: 'cr' | 'cw' | 'forkcr' | 'forkcw' }>;

function* accessOperation(world: World, mm: MmStruct, operation: Access): Task<readonly number[]> {
  switch (operation.name) {
    case 'cr':
      return yield* cpuReads(world, mm, operation.range);
    case 'cw':
      return yield* cpuWrites(world, mm, operation.range, operation.value, operation.step);
    case 'forkcr':
      return yield* inChild(mm, (child) => cpuReads(world, child, operation.range));
    case 'forkcw':
      return yield* inChild(mm, (child) =>
        cpuWrites(world, child, operation.range, operation.value, operation.step),
      );
  }
}

/** Forks, runs `body` in the child, and waits for its end. */
function* inChild(mm: MmStruct, body: (child: MmStruct) => Task<number[]>): Task<readonly number[]> {
  const child = yield* dupMm(mm);
  if (typeof child === 'number') return NOTHING;
  const values = yield* body(child);
  yield* endProcess(child);
  return values;
}

/** A process's own use of its memory ends. Unlike others' uses, it does not come after one of its own: it commutes with none. */
export function* endProcess(mm: MmStruct): Task {
  mm.kernel.sched.access(mm.usersObject, true);
  yield* mmput(mm);
}

/** Byte 0 of each page, -1 where a signal was raised. */
function* cpuReads(world: World, mm: MmStruct, range: PageRange): Task<number[]> {
  const first = firstPage(range);
  const values: number[] = [];
  for (let i = 0; i < range.pages; i++) {
    yield* place(world, values);
    const value = yield* cpuReadByte(mm, first + i, 0);
    values.push(value < 0 ? -1 : value);
    world.done++;
  }
  return values;
}

/** 0 for each page written, -1 where a signal was raised. */
function* cpuWrites(
  world: World,
  mm: MmStruct,
  range: PageRange,
  value: number,
  step: number,
): Task<number[]> {
  const first = firstPage(range);
  const values: number[] = [];
  for (let i = 0; i < range.pages; i++) {
    yield* place(world, values);
    const ret = yield* cpuWriteByte(mm, first + i, 0, (value + i * step) & 255);
    values.push(ret < 0 ? -1 : 0);
    world.done++;
  }
  return values;
}

type Plain = Exclude<Operation, Access | { name: 'device' }>;

function* plainOperation(world: World, mm: MmStruct, operation: Plain): Task<number> {
  switch (operation.name) {
    case 'mmap':
      return yield* mapRegion(world, mm, operation.range, operation.prot, operation.kind);
    case 'mremap':
      return yield* moveRegion(mm, operation.range, operation.to);
    case 'dopen':
      return yield* world.devices.open(operation.device, mm);
    case 'dclose':
      return yield* world.devices.close(operation.device, mm);
    case 'pin':
      return yield* pinOperation(world, mm, operation.range, operation.write, operation.keep);
    case 'unpin':
      return unpinAll(world, mm);
    default:
      return yield* rangeOperation(mm, operation);
  }
}

type RangeCall = Extract<Plain, { name: 'munmap' | 'mlock' | 'munlock' | 'mprotect' | 'madvise' }>;

function* rangeOperation(mm: MmStruct, operation: RangeCall): Task<number> {
  const start = firstPage(operation.range);
  const { pages } = operation.range;
  switch (operation.name) {
    case 'munmap':
      return yield* sysMunmap(mm, start, pages);
    case 'mlock':
      return yield* sysMlock(mm, start, pages);
    case 'munlock':
      return yield* sysMunlock(mm, start, pages);
    case 'mprotect':
      return yield* sysMprotect(mm, start, pages, protection(operation.prot));
    case 'madvise':
      return yield* sysMadvise(mm, start, pages, ADVICE[operation.advice]);
  }
}

/** `PROT_*` of the letters. */
function protection(word: ProtectionWord): number {
  if (word === 'none') return PROT_NONE;
  let prot = PROT_NONE;
  if (word.includes('r')) prot |= PROT_READ;
  if (word.includes('w')) prot |= PROT_WRITE;
  if (word.includes('x')) prot |= PROT_EXEC;
  return prot;
}

function* mapRegion(
  world: World,
  mm: MmStruct,
  range: PageRange,
  prot: ProtectionWord,
  kind: MappingKind,
): Task<number> {
  const start = firstPage(range);
  const flags = MAP_FIXED_NOREPLACE | (kind === 'anon' || kind === 'memfdp' ? MAP_PRIVATE : MAP_SHARED);
  if (kind === 'anon' || kind === 'shared') {
    const ret = yield* sysMmap(mm, start, range.pages, protection(prot), flags | MAP_ANONYMOUS);
    return ret < 0 ? ret : 0;
  }
  const file = shmemZeroSetup(world.system, range.pages);
  if (file === null) throw new HmmError('NO_FILE', 'a memfd could not be made');
  const ret = yield* sysMmap(mm, start, range.pages, protection(prot), flags, { file });
  return ret < 0 ? ret : 0;
}

function* moveRegion(mm: MmStruct, from: PageRange, to: PageRange): Task<number> {
  const ret = yield* sysMremap(
    mm,
    firstPage(from),
    from.pages,
    to.pages,
    MREMAP_MAYMOVE | MREMAP_FIXED,
    firstPage(to),
  );
  return ret < 0 ? ret : 0;
}

/** Takes long-term pins on a range; drops them at once unless they are to be kept. */
function* pinOperation(
  world: World,
  mm: MmStruct,
  range: PageRange,
  write: boolean,
  keep: boolean,
): Task<number> {
  const pages: number[] = [];
  if (!mm.mmapLock.tryReadFast()) yield* mm.mmapLock.read();
  const flags = FOLL_LONGTERM | (write ? FOLL_WRITE : 0);
  const ret = yield* pinUserPages(mm, firstPage(range), range.pages, flags, pages);
  mm.mmapLock.unlockRead();
  if (keep) world.pins.set(mm, [...(world.pins.get(mm) ?? []), ...pages]);
  else {
    if (mm.kernel.sched.exploring) yield SP_PREEMPT;
    for (const page of pages) unpinUserPage(world.system, page);
  }
  if (ret < 0) return ret;
  return ret === range.pages ? 0 : -EFAULT;
}

function unpinAll(world: World, mm: MmStruct): number {
  for (const page of world.pins.get(mm) ?? []) unpinUserPage(world.system, page);
  world.pins.delete(mm);
  return 0;
}
