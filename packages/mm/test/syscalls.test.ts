import { EAGAIN, EEXIST, EFAULT, EINVAL, ENOMEM, EOVERFLOW, type Task } from '@hmm/kernel';
import { describe, expect, it } from 'vitest';
import {
  MADV_COLLAPSE,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_REMOVE,
  MADV_WIPEONFORK,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_PRIVATE,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  type MmStruct,
  PROT_NONE,
  PROT_READ,
  syscallMadvise,
  syscallMlock,
  syscallMmap,
  syscallMprotect,
  syscallMremap,
  syscallMunlock,
  syscallMunmap,
} from '../src/index.js';
import { BASE, Machine, RW } from './support.js';

const AT = BigInt(BASE) * 4096n;
const PAGE = 4096n;
const TOP = 1n << 64n;
const USER_END = (1n << 47n) - PAGE;
const ANON = MAP_PRIVATE | MAP_ANONYMOUS;

/** Pages 0–3 private, 4 and 5 a hole, 6 and 7 shared, 8 without permissions. */
function machine(): Machine {
  const m = new Machine();
  m.map(0, 4);
  m.mapShared(6, 2);
  m.map(8, 1, PROT_NONE);
  return m;
}

type Case = [what: string, call: (mm: MmStruct) => Task<number> | Task<bigint>, result: number | bigint];

function table(name: string, cases: readonly Case[]): void {
  describe(name, () => {
    it.each(cases)('%s', (_what, call, result) => {
      const m = machine();
      const task: Task<number | bigint> = call(m.mm);
      expect(m.run(task)).toBe(result);
      expect(m.broken()).toBeUndefined();
    });
  });
}

const err = (errno: number): bigint => BigInt(-errno);

table('mmap', [
  ['nothing', (mm) => syscallMmap(mm, 0n, 0n, RW, ANON), err(EINVAL)],
  ['a byte is a page', (mm) => syscallMmap(mm, AT + 20n * PAGE, 1n, RW, ANON | MAP_FIXED), AT + 20n * PAGE],
  ['a length that wraps', (mm) => syscallMmap(mm, 0n, TOP - 1n, RW, ANON), err(ENOMEM)],
  ['more than there is', (mm) => syscallMmap(mm, 0n, 1n << 48n, RW, ANON), err(ENOMEM)],
  ['neither shared nor private', (mm) => syscallMmap(mm, 0n, PAGE, RW, MAP_ANONYMOUS), err(EINVAL)],
  ['an unaligned offset', (mm) => syscallMmap(mm, 0n, PAGE, RW, ANON, {}, 1n), err(EINVAL)],
  ['an offset that wraps', (mm) => syscallMmap(mm, 0n, 2n * PAGE, RW, ANON, {}, TOP - PAGE), err(EOVERFLOW)],
  ['fixed, unaligned', (mm) => syscallMmap(mm, AT + 1n, PAGE, RW, ANON | MAP_FIXED), err(EINVAL)],
  ['fixed, beyond the end', (mm) => syscallMmap(mm, USER_END, PAGE, RW, ANON | MAP_FIXED), err(ENOMEM)],
  [
    'fixed, up to the end',
    (mm) => syscallMmap(mm, USER_END - PAGE, PAGE, RW, ANON | MAP_FIXED),
    USER_END - PAGE,
  ],
  ['no replacement', (mm) => syscallMmap(mm, AT, PAGE, RW, ANON | MAP_FIXED_NOREPLACE), err(EEXIST)],
  ['unknown protection bits', (mm) => syscallMmap(mm, AT, PAGE, 0x80, ANON | MAP_FIXED), AT],
]);

table('munmap', [
  ['unaligned', (mm) => syscallMunmap(mm, AT + 1n, PAGE), -EINVAL],
  ['nothing', (mm) => syscallMunmap(mm, AT, 0n), -EINVAL],
  ['a length that wraps', (mm) => syscallMunmap(mm, AT, TOP - 1n), -EINVAL],
  ['beyond the end', (mm) => syscallMunmap(mm, USER_END, PAGE), -EINVAL],
  ['over holes', (mm) => syscallMunmap(mm, AT, 16n * PAGE), 0],
  ['of nothing mapped', (mm) => syscallMunmap(mm, AT + 100n * PAGE, PAGE), 0],
]);

table('mprotect', [
  ['unaligned', (mm) => syscallMprotect(mm, AT + 1n, PAGE, RW), -EINVAL],
  ['nothing, whatever the bits', (mm) => syscallMprotect(mm, AT, 0n, 0x80), 0],
  ['a length that wraps', (mm) => syscallMprotect(mm, AT, TOP - 1n, RW), -ENOMEM],
  ['a range that wraps', (mm) => syscallMprotect(mm, TOP - PAGE, 2n * PAGE, RW), -ENOMEM],
  ['unknown bits', (mm) => syscallMprotect(mm, AT, PAGE, 0x80), -EINVAL],
  ['a hole at the start', (mm) => syscallMprotect(mm, AT + 4n * PAGE, PAGE, RW), -ENOMEM],
  ['a hole in the middle', (mm) => syscallMprotect(mm, AT, 8n * PAGE, PROT_READ), -ENOMEM],
  ['beyond the last VMA', (mm) => syscallMprotect(mm, AT + 8n * PAGE, 2n * PAGE, PROT_READ), -ENOMEM],
  ['beyond the end', (mm) => syscallMprotect(mm, USER_END, PAGE, RW), -ENOMEM],
]);

table('madvise', [
  ['unaligned', (mm) => syscallMadvise(mm, AT + 1n, PAGE, MADV_DONTNEED), -EINVAL],
  ['nothing', (mm) => syscallMadvise(mm, AT, 0n, MADV_DONTNEED), 0],
  ['nothing, unknown', (mm) => syscallMadvise(mm, AT, 0n, 77), -EINVAL],
  ['a length that wraps', (mm) => syscallMadvise(mm, AT, TOP - 1n, MADV_DONTNEED), -EINVAL],
  ['a range that wraps', (mm) => syscallMadvise(mm, TOP - PAGE, 2n * PAGE, MADV_DONTNEED), -EINVAL],
  ['a hole', (mm) => syscallMadvise(mm, AT, 8n * PAGE, MADV_DONTNEED), -ENOMEM],
  ['only holes', (mm) => syscallMadvise(mm, AT + 100n * PAGE, PAGE, MADV_DONTNEED), -ENOMEM],
  ['free of shared memory', (mm) => syscallMadvise(mm, AT + 6n * PAGE, PAGE, MADV_FREE), -EINVAL],
  ['remove of private memory', (mm) => syscallMadvise(mm, AT, PAGE, MADV_REMOVE), -EINVAL],
  [
    'wipe-on-fork of shared memory',
    (mm) => syscallMadvise(mm, AT + 6n * PAGE, PAGE, MADV_WIPEONFORK),
    -EINVAL,
  ],
  ['populate a hole', (mm) => syscallMadvise(mm, AT, 5n * PAGE, MADV_POPULATE_READ), -ENOMEM],
  [
    'populate without permission',
    (mm) => syscallMadvise(mm, AT + 8n * PAGE, PAGE, MADV_POPULATE_WRITE),
    -EINVAL,
  ],
  ['collapse of shared memory', (mm) => syscallMadvise(mm, AT + 6n * PAGE, PAGE, MADV_COLLAPSE), -EINVAL],
]);

table('mlock and munlock', [
  ['unaligned: whole pages around', (mm) => syscallMlock(mm, AT + 1n, PAGE), 0],
  ['nothing', (mm) => syscallMlock(mm, AT, 0n), 0],
  ['a range that wraps', (mm) => syscallMlock(mm, TOP - PAGE, 2n * PAGE), -EINVAL],
  ['a hole', (mm) => syscallMlock(mm, AT, 5n * PAGE), -ENOMEM],
  ['no permission', (mm) => syscallMlock(mm, AT + 8n * PAGE, PAGE), -ENOMEM],
  ['unlock a hole', (mm) => syscallMunlock(mm, AT + 4n * PAGE, PAGE), -ENOMEM],
  ['unlock what is not locked', (mm) => syscallMunlock(mm, AT, PAGE), 0],
]);

const MOVE = MREMAP_MAYMOVE | MREMAP_FIXED;

table('mremap', [
  ['unaligned', (mm) => syscallMremap(mm, AT + 1n, PAGE, PAGE, 0), err(EINVAL)],
  ['to nothing', (mm) => syscallMremap(mm, AT, PAGE, 0n, 0), err(EINVAL)],
  ['unknown flags', (mm) => syscallMremap(mm, AT, PAGE, PAGE, 64), err(EINVAL)],
  [
    'fixed without maymove',
    (mm) => syscallMremap(mm, AT, PAGE, PAGE, MREMAP_FIXED, AT + 32n * PAGE),
    err(EINVAL),
  ],
  [
    'dontunmap with another length',
    (mm) => syscallMremap(mm, AT, PAGE, 2n * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP),
    err(EINVAL),
  ],
  ['no VMA', (mm) => syscallMremap(mm, AT + 4n * PAGE, PAGE, PAGE, 0), err(EFAULT)],
  ['beyond the VMA', (mm) => syscallMremap(mm, AT, 5n * PAGE, 6n * PAGE, MREMAP_MAYMOVE), err(EFAULT)],
  ['an unaligned target', (mm) => syscallMremap(mm, AT, PAGE, PAGE, MOVE, AT + 1n), err(EINVAL)],
  ['overlapping', (mm) => syscallMremap(mm, AT, 4n * PAGE, 4n * PAGE, MOVE, AT + 2n * PAGE), err(EINVAL)],
  ['a target beyond the end', (mm) => syscallMremap(mm, AT, PAGE, PAGE, MOVE, USER_END), err(EINVAL)],
  ['nothing of private memory', (mm) => syscallMremap(mm, AT, 0n, PAGE, MREMAP_MAYMOVE), err(EINVAL)],
  [
    'a second view of shared memory',
    (mm) => syscallMremap(mm, AT + 6n * PAGE, 0n, PAGE, MOVE, AT + 32n * PAGE),
    AT + 32n * PAGE,
  ],
  ['more than there is', (mm) => syscallMremap(mm, AT, PAGE, 1n << 48n, MREMAP_MAYMOVE), err(EAGAIN)],
]);
