import { type ProgramTest, programSuite } from './program-suite.js';
import type { Suite } from './suite.js';

/** A call that a driver may refuse: what it returned, which has to be one of these. */
const asked = (call: string, name: string, refusals = ['EOPNOTSUPP']): string =>
  `${call} rc ask_${name} assert ask_${name} == 0${refusals.map((errno) => ` \\/ ask_${name} == -${errno}`).join('')}`;
const toGpu = (range: string): string => asked(`prefetch ${range} to gpu`, 'prefetch');
const toCpu = (range: string): string =>
  asked(`prefetch ${range} to cpu`, 'prefetch_home', ['EOPNOTSUPP', 'EINVAL']);

const ATTRIBUTES = "attributes of AMD's SVM ranges, with their defaults, are that driver's";
const GRANULARITY = 'no driver here has a granularity of migration that a program sets';
const TWO_GPUS = 'one GPU a machine is asked here';

/** Cases of a second registration that overlaps the first: `[first from, first to, second from, second to]`. */
const OVERLAPS = [
  [0, 16, 2, 3],
  [0, 16, 1, 16],
  [0, 16, 2, 18],
  [0, 16, 0, 14],
  [0, 16, 0, 16],
  [0, 16, 0, 18],
  [2, 4, 8, 10],
] as const;

/** Ranges that overlap are given to the device one after another; each page keeps what it has, and the hole of case 6 is no harm. */
function split(give: (range: string) => string): string {
  const cases = OVERLAPS.map(
    ([from, to, from2, to2], i) => `malloc a${i} 32pages
      cpu write a${i} = 10 step 1
      ${give(`a${i}[${from}..${to}]`)}
      ${give(`a${i}[${from2}..${to2}]`)}
      gpu read a${i} -> g${i}
      cpu read a${i} -> c${i}
      assert g${i}[0] == 10 /\\ g${i}[31] == 41 /\\ c${i}[0] == 10 /\\ c${i}[17] == 27
      munmap a${i}`,
  );
  return `${cases.join('\n')}
    malloc z 16pages cpu write z = 3 ${give('z[2..4]')} munmap z gpu read z rc e assert e < 0`;
}

const read = (range: string): string => `gpu read ${range} -> r`;

const TESTS: readonly ProgramTest[] = [
  {
    name: 'BasicSystemMemTest',
    text: `malloc s 1page malloc d 1page
      cpu write s = 16843009 width 4
      gpu read s width 4 -> x gpu write d = 16843009 width 4
      cpu read d width 4 -> y assert x == 16843009 /\\ y == 16843009`,
  },
  { name: 'SetGetAttributesTest', text: '', refused: ATTRIBUTES },
  {
    name: 'XNACKModeTest',
    text: '',
    refused: 'every GPU here waits for its faults: there is no mode without',
  },
  {
    name: 'InvalidRangeTest',
    // AMD's refuses the address; a driver may also pass over what is not mapped, as nouveau_svmm_bind does.
    text: `malloc a 1page munmap a
      prefetch a to gpu rc e
      assert e < 0 \\/ where(a[0]) == none
      gpu read a rc f
      assert f < 0`,
  },
  { name: 'SplitSystemRangeTest', text: split(read) },
  {
    name: 'EvictSystemRangeTest',
    text: `malloc s 1page malloc d 1page
      cpu write s = 11 width 4
      gpu read s width 4 -> x gpu write d = 12 width 4
      fork child
      cpu write s = 21 width 4 cpu write d = 22 width 4
      wait child
      gpu read s width 4 -> y
      gpu read d width 4 -> z
      gpu write d = 21 width 4
      cpu read s width 4 -> u cpu read d width 4 -> v
      assert x == 11 /\\ y == 21 /\\ z == 22 /\\ u == 21 /\\ v == 21`,
  },
  {
    name: 'PartialUnmapSysMemTest',
    text: `malloc a 16pages cpu write a = 1
      gpu read a[0] -> w
      munmap a[2..6]
      gpu read a[6] -> x gpu read a[0] -> y
      assert w == 1 /\\ x == 1 /\\ y == 1
      gpu read a[3] rc e assert e < 0`,
  },
  {
    name: 'BasicVramTest',
    text: `malloc s 1page malloc m 1page malloc d 1page
      cpu write s = 7 width 4 cpu write m = 1
      ${toGpu('m')}
      gpu read s width 4 -> x gpu write m = 7 width 4 gpu read m width 4 -> y gpu write d = 7 width 4
      cpu read d width 4 -> z
      assert x == 7 /\\ y == 7 /\\ z == 7`,
  },
  { name: 'SplitVramRangeTest', text: split(toGpu) },
  {
    name: 'PrefetchTest',
    text: `malloc a 4pages cpu write a = 1
      ${toGpu('a[2..4]')}
      assert ask_prefetch < 0 \\/ (where(a[0]) == cpu /\\ where(a[2]) == gpu /\\ where(a[3]) == gpu)`,
  },
  {
    name: 'MigrateTest',
    text: `malloc a 256pages malloc b 256pages
      cpu write a = 1 cpu write b = 1
      for i = 0..8 {
        ${toGpu('a')} ${toGpu('b')}
        gpu write a = 100 * i step 1 width 4 gpu write b = 100 * i step 1 width 4
        cpu read a width 4 -> x cpu read b width 4 -> y
        assert x[0] == 100 * i /\\ x[255] == 100 * i + 255 /\\ y[0] == 100 * i /\\ y[255] == 100 * i + 255
      }
      gpu read a width 4 -> z assert z[255] == 955`,
  },
  {
    name: 'MigrateAccessInPlaceTest',
    text: `malloc a 1024pages cpu write a = 1
      ${asked('advise a accessed_by gpu', 'advice')}
      ${toGpu('a')}
      cpu write a = 3 step 1 width 4
      gpu write a = 5000 step 1 width 4
      cpu read a width 4 -> x assert x[0] == 5000 /\\ x[1023] == 6023`,
  },
  { name: 'MigrateGranularityTest', text: '', refused: GRANULARITY },
  {
    name: 'MigrateLargeBufTest',
    text: `malloc a 4096pages
      cpu write a = 1 step 1 width 4
      ${toGpu('a')}
      gpu read a parallel width 4 -> x
      gpu write a = 3 step 1 width 4
      cpu read a width 4 -> y
      cpu write a = 4 step 1 width 4
      gpu read a parallel width 4 -> z
      assert x[4095] == 4096 /\\ y[4095] == 4098 /\\ z[4095] == 4099`,
  },
  {
    name: 'MigratePolicyTest',
    text: `malloc a 256pages cpu write a = 1
      ${toGpu('a')}
      gpu write a = 10 step 1 width 4
      cpu read a width 4 -> x
      cpu write a = 11 step 1 width 4
      gpu read a width 4 -> y
      assert x[255] == 265 /\\ y[0] == 11 /\\ y[255] == 266`,
  },
  { name: 'MultiGPUMigrationTest', text: '', refused: TWO_GPUS },
  { name: 'MultiGPUAccessInPlaceTest', text: '', refused: TWO_GPUS },
  {
    name: 'MultiThreadMigrationTest',
    text: `malloc a 512pages
      cpu write a = 3 step 1 width 4
      for i = 0..2 {
        together {
          thread A { ${toGpu('a')} }
          thread B { gpu read a width 4 -> x assert x[0] == 3 /\\ x[511] == 514 }
        }
        together {
          thread C { ${toCpu('a')} }
          thread E { cpu read a width 4 -> y assert y[0] == 3 /\\ y[511] == 514 }
        }
      }`,
  },
  {
    name: 'MigrateFileBackedRangeTest',
    text: `file f 1page cpu write f = 48
      fork reader
      gpu write f = 51 rc e
      in reader { cpu read f -> x }
      assert e == 0 /\\ x == 51
      wait reader`,
  },
  {
    name: 'ReadOnlyRangeTest',
    text: `malloc a 2pages cpu write a = 85
      mprotect a[0] r
      gpu read a[0] -> x assert x == 85
      gpu write a[0] = 170 rc e
      cpu read a[0] -> y
      assert e < 0 /\\ y == 85`,
  },
  {
    name: 'HMMProfilingEvent',
    text: `malloc a 4pages cpu write a = 1
      ${toGpu('a')}
      assert ask_prefetch < 0 \\/ (count(faults) == 0 /\\ where(a[0]) == gpu /\\ where(a[3]) == gpu)`,
    alone: true,
  },
  {
    name: 'VramOvercommitTest',
    text: `pressure 8MiB
      malloc a0 1024pages malloc a1 1024pages malloc a2 1024pages
      cpu write a0 = 1 cpu write a1 = 2 cpu write a2 = 3
      ${toGpu('a0')} ${toGpu('a1')} ${toGpu('a2')}
      gpu read a0 parallel -> x gpu read a2 parallel -> z
      cpu read a1 -> y
      assert x[1023] == 1 /\\ y[1023] == 2 /\\ z[1023] == 3`,
    alone: true,
  },
  {
    name: 'VramOvercommitGiantRangeTest',
    text: `pressure 8MiB
      malloc a 3072pages cpu write a = 1 step 1 width 4
      ${toGpu('a')}
      cpu read a width 4 -> x assert x[0] == 1 /\\ x[3071] == 3072`,
    alone: true,
  },
  {
    name: 'PrefaultPartialRangeTest',
    text: `malloc a 4pages
      cpu write a[1] = 2 cpu write a[2] = 3
      ${toGpu('a')}
      gpu write a[0] = 1 gpu write a[3] = 4
      cpu read a -> x assert x == [1, 2, 3, 4]`,
  },
];

/** AMD's `KFDSVMRangeTest`, with faults that the GPU waits for (XNACK on). */
export function kfdSvm(): Suite {
  return programSuite(
    {
      name: 'kfd-svm',
      title: "kfdtest's KFDSVMRangeTest",
      source:
        'https://github.com/ROCm/ROCR-Runtime/blob/amd-staging/libhsakmt/tests/kfdtest/src/KFDSVMRangeTest.cpp',
    },
    TESTS,
  );
}
