import { Kernel, PAGE_SIZE, type Task } from '@hmm/kernel';
import {
  cpuReadByte,
  cpuWriteByte,
  dupMm,
  MADV_COLLAPSE,
  MADV_DONTNEED,
  MADV_HUGEPAGE,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MAP_SHARED,
  MemorySystem,
  mmCreate,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  pinUserPages,
  PROT_READ,
  PROT_WRITE,
  sysMadvise,
  sysMmap,
  sysMprotect,
  sysMremap,
} from '@hmm/mm';
import {
  newUserfaultfd,
  UFFDIO_REGISTER_MODE_MISSING as MISSING,
  userfaultfdCopy,
  userfaultfdCtxRead,
  userfaultfdRegister,
  userfaultfdRelease,
  userfaultfdUnregister,
  userfaultfdZeropage,
} from '@hmm/mm/internal';
import { beforeEach, describe, expect, test } from 'vitest';

const EAGAIN = 11;
const EBUSY = 16;
const EEXIST = 17;
const EFAULT = 14;
const EINVAL = 22;
const ENOENT = 2;
const RW = PROT_READ | PROT_WRITE;
const START = 4096;
const page = (byte: number, pages = 1): Uint8Array => new Uint8Array(pages * PAGE_SIZE).fill(byte);

describe('userfaultfd: missing pages', () => {
  const make = () => {
    const kernel = new Kernel({ release: '7.3' });
    const mm = mmCreate(new MemorySystem(kernel, { frames: 8192, systemFrames: 8192, maxTables: 64 }));
    return { kernel, mm, uffd: newUserfaultfd(mm), run: <T>(task: Task<T>): T => kernel.sched.runSync(task) };
  };
  let m: ReturnType<typeof make>;
  const map = (pages: number, vpn = START, flags = MAP_PRIVATE): number =>
    m.run(sysMmap(m.mm, vpn, pages, RW, flags | MAP_ANONYMOUS));
  const register = (vpn: number, pages: number): number =>
    m.run(userfaultfdRegister(m.uffd, vpn, pages, MISSING));
  /** Everybody runs as far as they get. */
  const goOn = (): void => {
    m.kernel.sched.spawn('clock', m.kernel.sched.delay(1e6));
    m.kernel.sched.run();
  };
  /** What a CPU's read gets, and how far it is: -1 while it waits. */
  const reader = (vpn: number): { value: number } => {
    const got = { value: -1 };
    m.kernel.sched.spawnDaemon(
      'reader',
      (function* (): Task {
        got.value = yield* cpuReadByte(m.mm, vpn, 0);
      })(),
    );
    goOn();
    return got;
  };
  /** Does something in an agent of its own, with whatever follows from it. */
  const meanwhile = (task: Task<unknown>): void => {
    m.kernel.sched.spawnDaemon('other', task);
    goOn();
  };

  beforeEach(() => {
    m = make();
    expect(map(8)).toBe(START);
  });

  test('a CPU waits at a missing page until it is brought', () => {
    expect(register(START, 8)).toBe(0);
    const got = reader(START + 2);
    expect(got.value).toBe(-1);
    expect(m.uffd.pending).toEqual([{ id: 1, vpn: START + 2, write: false }]);
    meanwhile(userfaultfdCopy(m.uffd, START + 2, 1, page(0xab)));
    expect(got.value).toBe(0xab);
    expect(m.uffd.pending).toEqual([]);
  });

  test('the zero page does as well, and a write to it gets a page of its own without another wait', () => {
    register(START, 8);
    const got = reader(START);
    meanwhile(userfaultfdZeropage(m.uffd, START, 1));
    expect(got.value).toBe(0);
    expect(m.run(cpuWriteByte(m.mm, START, 0, 7))).toBe(0);
    expect(m.run(cpuReadByte(m.mm, START, 0))).toBe(7);
  });

  test('a message says which page and whether it is written', () => {
    register(START, 8);
    let message: unknown;
    meanwhile(
      (function* (): Task {
        message = yield* userfaultfdCtxRead(m.uffd);
      })(),
    );
    expect(message).toBeUndefined();
    meanwhile(cpuWriteByte(m.mm, START + 5, 0, 1));
    expect(message).toEqual({ id: 1, vpn: START + 5, write: true });
    expect(m.uffd.answered).toEqual([message]);
  });

  test('what was there before stays, and what is let go of is missing again', () => {
    m.run(cpuWriteByte(m.mm, START, 0, 9));
    register(START, 8);
    expect(m.run(cpuReadByte(m.mm, START, 0))).toBe(9);
    m.run(sysMadvise(m.mm, START, 1, MADV_DONTNEED));
    expect(reader(START).value).toBe(-1);
  });

  test('a page that is there is not replaced; a part of the way is -EAGAIN', () => {
    register(START, 8);
    expect(m.run(userfaultfdCopy(m.uffd, START + 2, 1, page(1)))).toBe(0);
    expect(m.run(userfaultfdCopy(m.uffd, START + 2, 1, page(2)))).toBe(-EEXIST);
    expect(m.run(userfaultfdCopy(m.uffd, START, 4, page(3, 4)))).toBe(-EAGAIN);
    expect([0, 1, 2].map((i) => m.run(cpuReadByte(m.mm, START + i, 0)))).toEqual([3, 3, 1]);
  });

  test('only one registered VMA can be filled', () => {
    expect(m.run(userfaultfdCopy(m.uffd, START, 1, page(1)))).toBe(-ENOENT);
    register(START, 4);
    expect(m.run(userfaultfdCopy(m.uffd, START + 2, 4, page(1, 4)))).toBe(-ENOENT);
    expect(m.run(userfaultfdCopy(m.uffd, START, 0, page(1)))).toBe(-EINVAL);
    expect(m.run(userfaultfdCopy(m.uffd, START, 2, page(1)))).toBe(-EFAULT);
  });

  test('registering: private anonymous memory, of one context, in any mode but those that are not there', () => {
    expect(register(9000, 1)).toBe(-EINVAL);
    expect(m.run(userfaultfdRegister(m.uffd, START, 8, 2))).toBe(-EINVAL);
    expect(map(4, 6000, MAP_SHARED)).toBe(6000);
    expect(register(6000, 4)).toBe(-EINVAL);
    expect(register(START + 2, 2)).toBe(0);
    const other = newUserfaultfd(m.mm);
    expect(m.run(userfaultfdRegister(other, START, 8, MISSING))).toBe(-EBUSY);
    expect(m.run(userfaultfdUnregister(other, START, 8))).toBe(-EINVAL);
    expect(m.mm.vmas.map(({ start, end }) => end - start)).toEqual([2, 2, 4, 4]);
    // The neighbours become one VMA with it when it is as they are.
    expect(register(START, 8)).toBe(0);
    expect(m.mm.vmas.map(({ start, end }) => end - start)).toEqual([8, 4]);
  });

  test.each([
    ['unregistering', () => userfaultfdUnregister(m.uffd, START, 8)],
    ['closing', () => userfaultfdRelease(m.uffd)],
  ])('%s lets go on who waits: the kernel brings the page', (_name, task) => {
    register(START, 8);
    const got = reader(START);
    meanwhile(task());
    expect(got.value).toBe(0);
    expect(m.mm.vmas.map(({ uffd, flags }) => [uffd, flags & 0x200])).toEqual([[null, 0]]);
  });

  test('a fault that may not drop mmap_lock is an error', () => {
    register(START, 8);
    expect(m.run(pinUserPages(m.mm, START, 1, 0, []))).toBe(-EFAULT);
  });

  test('fork’s copy is not registered, nor is what mremap has moved', () => {
    register(START, 8);
    const child = m.run(dupMm(m.mm));
    if (typeof child === 'number') throw new Error(`fork: ${child}`);
    expect(m.run(cpuReadByte(child, START, 0))).toBe(0);
    expect(m.run(sysMremap(m.mm, START, 8, 8, MREMAP_MAYMOVE | MREMAP_FIXED, 7000))).toBe(7000);
    expect(m.run(cpuReadByte(m.mm, 7000, 0))).toBe(0);
  });

  test('several VMAs of which one is registered do not move together', () => {
    register(START, 4);
    expect(m.run(sysMremap(m.mm, START, 8, 8, MREMAP_MAYMOVE | MREMAP_FIXED, 7000))).toBe(-EFAULT);
  });

  test('mprotect keeps it registered', () => {
    register(START, 8);
    m.run(sysMprotect(m.mm, START, 8, PROT_READ));
    const got = reader(START);
    meanwhile(userfaultfdCopy(m.uffd, START, 1, page(4)));
    expect(got.value).toBe(4);
  });

  test('no huge page comes by the way', () => {
    expect(map(512, 512 * 10)).toBe(5120);
    m.run(sysMadvise(m.mm, 5120, 512, MADV_HUGEPAGE));
    register(5120, 512);
    const got = reader(5120);
    expect(got.value).toBe(-1);
    meanwhile(userfaultfdCopy(m.uffd, 5120, 1, page(6)));
    expect(got.value).toBe(6);
    expect(m.run(sysMadvise(m.mm, 5120, 512, MADV_COLLAPSE))).toBe(-EINVAL);
  });
});
