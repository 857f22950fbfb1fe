import type { ProgramTest } from '../program-suite.js';

const PAT = 'attributes of the GPU page tables for caching are not modelled';
const BUFFERS = 'no driver here mixes buffer objects of its own with memory of the process';

/** Threads of the CPU that look at the result. */
const READERS = 8;

/** The tests outside of the grid. Sizes are a 32nd to a 64th of the original's, and so is the device memory where it is to run out. */
export function otherTests(): ProgramTest[] {
  return [
    { name: 'unaligned-alloc', text: manyAllocations(9, 384, 1) },
    { name: 'evict-malloc', text: `pressure 16MiB\n${manyAllocations(9, 512, 64)}`, alone: true },
    { name: 'evict-malloc-mix-bo', text: '', refused: BUFFERS },
    { name: 'processes-evict-malloc', text: processesEvict(), alone: true },
    { name: 'processes-evict-malloc-mix-bo', text: '', refused: BUFFERS },
    { name: 'fault', text: BAD_ADDRESS },
    { name: 'fault-benchmark', text: readers(1, false, '') },
    { name: 'fault-threads-benchmark', text: readers(READERS, false, '') },
    { name: 'fault-threads-same-page-benchmark', text: readers(READERS, true, '') },
    { name: 'fault-process-benchmark', text: readers(READERS, false, 'fork') },
    { name: 'fault-process-same-page-benchmark', text: readers(READERS, true, 'fork') },
    { name: 'prefetch-benchmark', text: prefetches(false) },
    { name: 'prefetch-sys-benchmark', text: prefetches(true) },
    ...['', '-race'].flatMap((race) => [
      {
        name: `threads-shared-vm-shared-alloc-many-stride-malloc${race}`,
        text: sharedAlloc('', race !== ''),
      },
      { name: `threads-shared-alloc-many-stride-malloc${race}`, text: sharedAlloc('own', race !== '') },
    ]),
    { name: 'threads-shared-alloc-many-stride-malloc-sync', text: sharedAlloc('own', false) },
    { name: 'compute', text: COMPUTE },
    ...MADVISE.map(([name, advice]) => ({ name: `madvise-${name}`, text: madvise(advice) })),
    ...['split-vma', 'atomic-vma'].map((name) => ({ name: `madvise-${name}`, text: '', refused: BUFFERS })),
    ...['wb', 'wt', 'uc', 'uc-comp']
      .map((kind) => `pat-idx-${kind}`)
      .concat('max-pat-index')
      .flatMap((kind) => ['single', 'multi'].map((vma) => `pat-index-madvise-${kind}-${vma}-vma`))
      .map((name) => ({ name, text: '', refused: PAT })),
  ];
}

/** The GPU stores to each `stride`th page of several buffers, then the CPU reads all. */
function manyAllocations(count: number, pages: number, stride: number): string {
  const range = stride === 1 ? '' : ` sparse:${stride}`;
  const buffers = Array.from({ length: count }, (_, i) => i);
  return [
    ...buffers.flatMap((i) => [
      `malloc a${i} ${pages}pages`,
      `gpu write a${i}${range} = ${1000 * (i + 1)} step 1 width 4 rc e${i}`,
      `assert e${i} == 0`,
    ]),
    ...buffers.flatMap((i) => [
      `cpu read a${i}${range} width 4 -> x${i}`,
      `assert x${i}[0] == ${1000 * (i + 1)} /\\ x${i}[${pages / stride - 1}] == ${1000 * (i + 1) + pages - stride}`,
      `munmap a${i}`,
    ]),
  ].join('\n');
}

function processesEvict(): string {
  const body = (p: number): string => manyAllocations(5, 512, 64).replace(/\b([aex])(\d)\b/g, `$1${p}$2`);
  return `pressure 16MiB process p1 process p2\ntogether {\nthread T1 in p1 {\n${body(1)}\n}\nthread T2 in p2 {\n${body(2)}\n}\n}`;
}

const BAD_ADDRESS = `malloc a 2MiB malloc b 2MiB
  cpu write a = 5 cpu write b = 6
  munmap a
  gpu write a[0] = 7 rc e
  assert e == -EIO \\/ e == -EFAULT
  cpu read b[0] -> x
  assert x == 6`;

/** Several read what the GPU stored: a part each, or all the same pages. */
function readers(count: number, same: boolean, how: 'fork' | ''): string {
  const pages = 256;
  const part = pages / count;
  const names = Array.from({ length: count }, (_, i) => i);
  const range = (i: number): string => (same ? 'a' : `a[${i * part}..${(i + 1) * part}]`);
  const first = (i: number): number => 500 + (same ? 0 : i * part);
  return [
    `malloc a ${pages}pages`,
    'gpu write a = 500 step 1 width 4 rc e assert e == 0',
    ...(how === 'fork' ? names.map((i) => `fork c${i}`) : []),
    'together {',
    ...names.map(
      (i) =>
        `thread R${i}${how === 'fork' ? ` in c${i}` : ''} { cpu read ${range(i)} width 4 -> x${i} assert x${i}[0] == ${first(i)} /\\ x${i}[${same ? pages - 1 : part - 1}] == ${first(i) + (same ? pages : part) - 1} }`,
    ),
    '}',
    ...(how === 'fork' ? names.map((i) => `wait c${i}`) : []),
  ].join('\n');
}

function prefetches(home: boolean): string {
  return `malloc a 1MiB
    cpu write a = 5
    for i = 0..8 {
      prefetch a to gpu rc ask_prefetch
      assert ask_prefetch == 0 \\/ ask_prefetch == -EOPNOTSUPP
      gpu write a[0] = i + 9 rc e assert e == 0
      ${
        home
          ? 'prefetch a to cpu rc ask_prefetch_home assert ask_prefetch_home == 0 \\/ ask_prefetch_home == -EOPNOTSUPP \\/ ask_prefetch_home == -EINVAL'
          : ''
      }
      cpu read a[0] -> x
      assert x == i + 9
    }`;
}

/** Two threads store to records side by side in one buffer, by one address space on the GPU or one each. */
function sharedAlloc(own: 'own' | '', race: boolean): string {
  const on = (i: number): string => (own === 'own' ? ` on D${i}` : '');
  const thread = (i: number): string => `thread T${i} {
    for k${i} = 0..16 {
      cpu write a[10 * k${i}] = k${i} + 1 byte ${160 * i} width 4
      gpu write a[10 * k${i}] = (k${i} + 1) * 31 + ${i} byte ${160 * i + 152} width 4${on(i)} rc e${i}
      assert e${i} == 0
      ${race ? `cpu write a[10 * k${i}] = k${i} byte ${160 * i + 144} width 4` : ''}
      cpu read a[10 * k${i}] byte ${160 * i + 152} width 4 -> x${i}
      assert x${i} == (k${i} + 1) * 31 + ${i}
    }
  }`;
  return `${own === 'own' ? 'device D0 device D1' : ''}
    malloc a 160pages
    cpu write a = 5
    together { ${thread(0)} ${thread(1)} }`;
}

const COMPUTE = `malloc in0 2MiB malloc out0 2MiB
  cpu write in0 = 3 step 1 width 4
  gpu read in0 parallel width 4 -> x
  gpu write out0 parallel = 9 step 7 width 4 rc e
  assert e == 0 /\\ x[0] == 3 /\\ x[511] == 514
  cpu read out0 width 4 -> y
  assert y[0] == 9 /\\ y[511] == 3586`;

/** Advice by test: what the range prefers. */
const MADVISE: readonly (readonly [string, string])[] = [
  ['atomic-inc', ''],
  ['preffered-loc-sram-migrate-pages', 'preferred cpu'],
  ['preffered-loc-atomic-vram', 'preferred gpu'],
  ['preffered-loc-atomic-gl', 'preferred gpu'],
  ['preffered-loc-atomic-cpu', 'preferred cpu'],
  ['preffered-loc-atomic-und', 'preferred cpu'],
  ['multi-vma', 'accessed_by gpu'],
  ['split-vma-with-mapping', 'preferred cpu'],
  ['range-invalidate-change-attr', 'preferred gpu'],
  ['no-range-invalidate-same-attr', 'preferred gpu'],
];

/** Advice on the halves of a buffer, and atomic additions of both sides to it. */
function madvise(advice: string): string {
  const ask = (range: string): string =>
    advice === ''
      ? ''
      : `advise ${range} ${advice} rc ask_advice assert ask_advice == 0 \\/ ask_advice == -EOPNOTSUPP`;
  return `malloc a 16pages
    cpu write a = 5 width 4
    ${ask('a[0..8]')}
    ${ask('a[8..16]')}
    gpu atomic a += 1 width 4 rc e
    assert e == 0
    ${ask('a[0..8]')}
    gpu atomic a += 1 width 4 rc f
    assert f == 0
    cpu read a width 4 -> x
    assert x[0] == 7 /\\ x[15] == 7`;
}
