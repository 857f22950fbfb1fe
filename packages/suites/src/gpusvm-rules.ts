import { type ProgramTest, programSuite } from './program-suite.js';
import type { Suite } from './suite.js';

const TO_GPU = (range: string): string =>
  `prefetch ${range} to gpu rc ask_prefetch assert ask_prefetch == 0 \\/ ask_prefetch == -EOPNOTSUPP`;

/** Four threads read what is in device memory at once. */
const MANY_READERS = `malloc a 1page cpu write a = 5
  ${TO_GPU('a')}
  together { ${[0, 1, 2, 3].map((i) => `thread R${i} { cpu read a -> x${i} assert x${i} == 5 }`).join(' ')} }`;

const TESTS: readonly ProgramTest[] = [
  { name: 'home: readers of one page do not stop each other for ever', text: MANY_READERS },
  {
    name: 'home: the page that faulted comes, whatever the others do',
    text: `malloc a 16pages cpu write a = 1 step 1
      ${TO_GPU('a')}
      cpu read a[7] -> x
      assert x == 8 /\\ (where(a[7]) == cpu \\/ where(a[7]) == where(a[8]))`,
  },
  {
    name: 'partial migration: a pinned page stays, the others may go',
    text: `malloc a 16pages cpu write a = 1 step 1
      pin a[3] write
      prefetch a to gpu rc e
      assert where(a[3]) == cpu
      gpu read a -> x
      unpin a[3]
      assert x[3] == 4 /\\ x[15] == 16`,
  },
  {
    name: 'mixed range: the GPU sees pages of both places, while the CPU takes them home',
    text: `malloc a 16pages cpu write a = 1 step 1
      ${TO_GPU('a[4..12]')}
      together {
        thread G { repeat 4 { gpu read a -> x assert x[0] == 1 /\\ x[8] == 9 /\\ x[15] == 16 } }
        thread C { repeat 4 { cpu read a[6..10] -> y assert y[0] == 7 /\\ y[3] == 10 } }
      }`,
  },
  {
    name: 'eviction: memory that has moved by mremap is evicted, whatever its address',
    text: `malloc a 512pages cpu write a = 1 step 1 width 4
      ${TO_GPU('a')}
      mremap a to b
      pressure 1MiB
      malloc c 512pages cpu write c = 9
      ${TO_GPU('c')}
      gpu read c[0] -> z
      cpu read b width 4 -> x
      assert x[0] == 1 /\\ x[511] == 512 /\\ z == 9`,
    alone: true,
  },
  {
    name: 'eviction: a forked child and its parent keep what was evicted',
    text: `malloc a 512pages cpu write a = 1 step 1 width 4
      ${TO_GPU('a')}
      fork child
      pressure 1MiB
      malloc c 512pages cpu write c = 9
      ${TO_GPU('c')}
      in child { cpu read a width 4 -> y }
      cpu read a width 4 -> x
      assert x[511] == 512 /\\ y[511] == 512
      wait child`,
    alone: true,
  },
  {
    name: 'fault: it is served again as often as invalidations come in',
    text: `malloc a 4pages cpu write a = 1
      together {
        thread G { repeat 8 { gpu write a[0] = 7 byte 8 rc e assert e == 0 } }
        thread C { repeat 8 { mprotect a r mprotect a rw madvise a[2] dontneed } }
      }
      cpu read a[0] byte 8 -> x assert x == 7`,
  },
  {
    name: 'back pointer: what has moved by mremap comes home to its new address',
    text: `malloc a 4pages cpu write a = 1 step 1
      ${TO_GPU('a')}
      mremap a to b
      gpu write b[1] = 50
      cpu read b -> x
      assert x == [1, 50, 3, 4]
      gpu read a rc e assert e < 0`,
  },
  {
    name: 'notifier: a part that is unmapped is out of reach at once, the rest is not',
    text: `malloc a 512pages cpu write a = 1 step 1 width 4
      ${TO_GPU('a')}
      gpu read a[0] -> w
      munmap a[100..200]
      gpu read a[99] width 4 -> x gpu read a[200] width 4 -> y
      assert x == 100 /\\ y == 201
      gpu read a[150] rc e assert e < 0`,
  },
];

/** What the maintainers of GPU SVM agreed on (`Documentation/gpu/rfc/gpusvm.rst`), as programs. */
export function gpusvmRules(): Suite {
  return programSuite(
    {
      name: 'gpusvm-rules',
      title: 'the rules of GPU SVM',
      source: 'https://docs.kernel.org/gpu/rfc/gpusvm.html',
    },
    TESTS,
  );
}
