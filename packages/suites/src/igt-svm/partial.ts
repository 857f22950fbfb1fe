import type { ProgramTest } from '../program-suite.js';

/** Pages of the buffer: 2 MiB. */
const PAGES = 512;

/** The 16 tests in which a half of a buffer is unmapped between two executions, at its start or in its middle. */
export function partialTests(): ProgramTest[] {
  const each: ProgramTest[] = [];
  for (const atomic of [false, true])
    for (const middle of [false, true])
      for (const remap of [false, true])
        for (const cpuFault of [true, false]) {
          const words = [
            'partial',
            ...(atomic ? ['atomic'] : []),
            ...(middle ? ['middle'] : []),
            remap ? 'remap' : 'munmap',
            ...(cpuFault ? [] : ['no']),
            'cpu-fault',
          ];
          each.push({ name: words.join('-'), text: partial(atomic, middle, remap, cpuFault) });
        }
  return each;
}

/** The GPU stores at the start, a half goes (and comes anew, empty and locked), the GPU stores behind the hole. */
function partial(atomic: boolean, middle: boolean, remap: boolean, cpuFault: boolean): string {
  const hole = middle ? PAGES / 4 : 0;
  const behind = hole + PAGES / 2;
  const store = (page: number, value: number): string[] => [
    ...(atomic ? [`cpu write a[${page}] = ${value - 1} width 4`] : []),
    `gpu ${atomic ? 'atomic' : 'write'} a[${page}] ${atomic ? '+= 1' : `= ${value}`} width 4 rc e${page}`,
    `assert e${page} == 0`,
  ];
  const check = (page: number, value: number): string[] => [
    `cpu read a[${page}] width 4 -> x${page}`,
    `assert x${page} == ${value}`,
  ];
  return [
    `malloc a ${PAGES}pages`,
    'cpu write a = 5',
    ...store(0, 7001),
    ...(cpuFault ? check(0, 7001) : []),
    `munmap a[${hole}..${behind}]`,
    ...(remap
      ? [`malloc n ${PAGES / 2}pages`, `mremap n to a[${hole}..${behind}]`, `mlock a[${hole}..${behind}]`]
      : []),
    ...store(behind, 7002),
    ...check(behind, 7002),
    ...(remap ? [`cpu read a[${hole}] -> n0`, 'assert n0 == 0'] : []),
    ...(middle ? check(0, 7001) : []),
  ].join('\n');
}
