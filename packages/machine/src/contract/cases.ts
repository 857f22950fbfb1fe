import type { DeviceFeatures } from '@hmm/device';

/** A promise that every client keeps: a program, and what a client needs for it to mean something. */
export interface ContractProgram {
  readonly name: string;
  /** Whether this client is asked; why not, as a clause, where it says so itself. */
  readonly needs?: (features: DeviceFeatures) => boolean | string;
  /** It takes memory away from the device, which a driver may refuse for good (`-EOPNOTSUPP`). */
  readonly pressure?: true;
  /** In the program language; its assertions are the promise. `MEM` stands for the client's kind of memory. */
  readonly text: string;
}

const systemMemory = (features: DeviceFeatures): boolean => features.systemMemory;
/** Memory that the process may not write is within reach. */
const readOnlyMemory = (features: DeviceFeatures): boolean | string =>
  features.readOnlyRefusal ?? features.systemMemory;

/** The promises that a program can express. */
export const CONTRACT_PROGRAMS: readonly ContractProgram[] = [
  {
    name: 'the device reads what the CPU wrote, in any order of pages',
    text: `MEM a 40pages
      cpu write a = 3 step 1
      gpu read a rand:7 -> x
      assert x[0] == 3 /\\ x[17] == 20 /\\ x[39] == 42`,
  },
  {
    name: 'the CPU reads what the device wrote, in any order of pages',
    text: `MEM a 40pages
      gpu write a rev = 3 step 1
      cpu read a rand:7 -> x
      assert x[0] == 3 /\\ x[17] == 20 /\\ x[39] == 42`,
  },
  {
    name: 'memory that nobody touched is 0 for the device',
    text: `MEM a 8pages
      gpu read a -> x
      assert x == [0, 0, 0, 0, 0, 0, 0, 0]`,
  },
  {
    name: 'a kernel with a thread a page sees and leaves the same values',
    text: `MEM a 64pages
      cpu write a = 1 step 1
      gpu read a parallel -> x
      gpu write a parallel = 101 step 1
      cpu read a -> y
      assert x[63] == 64 /\\ y[63] == 164`,
  },
  {
    name: 'a CPU write after the device read is seen by the next device read',
    text: `MEM a 4pages
      cpu write a = 1
      gpu read a -> x
      cpu write a[1] = 9
      gpu read a -> y
      assert x == [1, 1, 1, 1] /\\ y == [1, 9, 1, 1]`,
  },
  {
    name: 'writes of both sides to different bytes of a page are all kept',
    text: `MEM a 1page
      for i = 0..16 {
        cpu write a = i + 1 byte (2 * i)
        gpu write a = i + 101 byte (2 * i + 1)
      }
      for i = 0..16 {
        cpu read a byte (2 * i) -> c
        gpu read a byte (2 * i + 1) -> g
        assert c == i + 1 /\\ g == i + 101
      }`,
  },
  {
    name: 'atomics of both sides add up',
    needs: ({ atomics }) => atomics,
    text: `MEM a 1page
      cpu write a = 0 width 4
      repeat 8 {
        gpu atomic a += 1 width 4
        cpu atomic a += 1 width 4
      }
      cpu read a width 4 -> x
      gpu read a width 4 -> y
      assert x == 16 /\\ y == 16`,
  },
  {
    name: 'atomics of both sides at once lose nothing',
    needs: ({ atomics }) => atomics,
    text: `MEM a 1page
      cpu write a = 0 width 4
      together {
        thread T0 { repeat 10 { gpu atomic a += 1 width 4 } }
        thread T1 { repeat 10 { cpu atomic a += 1 width 4 } }
      }
      cpu read a width 4 -> x
      assert x == 20`,
  },
  {
    name: 'after munmap the device cannot reach the pages',
    text: `MEM a 4pages
      MEM b 4pages
      cpu write a = 1
      cpu write b = 2
      gpu read a -> x
      munmap a
      gpu read a -> y rc e
      assert e < 0
      cpu read b -> z
      assert z == [2, 2, 2, 2]`,
  },
  {
    name: 'munmap under a running kernel ends it, and harms nothing else',
    text: `MEM a 64pages
      MEM b 4pages
      cpu write b = 2
      gpu write a = 1
      together {
        thread T0 { repeat 4 { gpu write a rand:3 = 5 rc e } }
        thread T1 { sleep 20us munmap a }
      }
      cpu read b -> z
      assert z == [2, 2, 2, 2]`,
  },
  {
    name: 'madvise(DONTNEED) leaves zeroes for the device',
    needs: systemMemory,
    text: `malloc a 4pages
      cpu write a = 5
      gpu read a -> x
      madvise a[1..3] dontneed
      gpu read a -> y
      assert x == [5, 5, 5, 5] /\\ y == [5, 0, 0, 5]`,
  },
  {
    name: 'mprotect to read-only stops device writes, not reads',
    needs: readOnlyMemory,
    text: `malloc a 4pages
      cpu write a = 5
      gpu write a[1] = 6
      mprotect a r
      gpu read a -> x
      gpu write a[2] = 7 rc e
      assert x == [5, 6, 5, 5] /\\ e < 0
      cpu read a -> y
      assert y == [5, 6, 5, 5]`,
  },
  {
    name: 'mprotect to nothing stops device reads',
    needs: systemMemory,
    text: `malloc a 2pages
      cpu write a = 5
      gpu read a -> x
      mprotect a none
      gpu read a -> y rc e
      assert e < 0`,
  },
  {
    name: 'fork copies: the child has the values of the fork, and neither sees the other write',
    needs: systemMemory,
    text: `malloc a 4pages
      cpu write a = 1
      gpu write a[0] = 5
      fork child
      in child { cpu read a -> c1 }
      gpu write a[1] = 6
      cpu write a[2] = 7
      in child { cpu read a -> c2 cpu write a[3] = 8 cpu read a -> c3 }
      gpu read a -> p
      assert c1 == [5, 1, 1, 1] /\\ c2 == [5, 1, 1, 1] /\\ c3 == [5, 1, 1, 8] /\\ p == [5, 6, 7, 1]
      wait child
      cpu read a -> q
      assert q == [5, 6, 7, 1]`,
  },
  {
    name: 'fork copies what is in device memory',
    needs: systemMemory,
    text: `malloc a 4pages
      cpu write a = 1 step 1
      prefetch a to gpu rc e
      fork child
      in child { cpu write a[1] = 50 cpu read a -> c }
      gpu read a -> p
      assert c == [1, 50, 3, 4] /\\ p == [1, 2, 3, 4]
      wait child`,
  },
  {
    name: 'a prefetch there and back keeps every value',
    text: `MEM a 40pages
      cpu write a = 3 step 1
      prefetch a to gpu rc e
      gpu read a -> x
      gpu write a[5] = 99
      prefetch a to cpu rc f
      cpu read a -> y
      assert x[39] == 42 /\\ y[39] == 42 /\\ y[5] == 99 /\\ y[6] == 9`,
  },
  {
    name: 'a discard, done or refused, spares its neighbours and what is written after it',
    text: `MEM a 40pages
      cpu write a = 3 step 1
      discard a[8..16] unmap rc e
      gpu write a[8..16] = 50 step 1
      cpu read a -> x
      assert x[7] == 10 /\\ x[8] == 50 /\\ x[15] == 57 /\\ x[16] == 19`,
  },
  {
    name: 'mremap takes the values along, wherever they are',
    needs: systemMemory,
    text: `malloc a 4pages
      cpu write a = 1 step 1
      gpu write a[1] = 9
      prefetch a to gpu rc e
      mremap a to b
      gpu read b -> x
      cpu read b -> y
      assert x == [1, 9, 3, 4] /\\ y == [1, 9, 3, 4]
      gpu read a -> z rc gone
      assert gone < 0`,
  },
  {
    name: 'shared memory is one memory for all',
    needs: systemMemory,
    text: `shared s 4pages
      cpu write s = 1
      fork child
      gpu write s[0] = 5
      in child { cpu read s -> c cpu write s[1] = 6 }
      gpu read s -> x
      assert c == [5, 1, 1, 1] /\\ x == [5, 6, 1, 1]
      wait child`,
  },
  {
    name: 'a bad address fails, and the process can still use its memory',
    needs: systemMemory,
    text: `malloc a 2pages
      malloc b 2pages
      cpu write b = 4
      munmap a
      gpu write a = 1 rc e
      assert e < 0
      cpu write b[0] = 5
      cpu read b -> x
      assert x == [5, 4]`,
  },
  {
    name: 'two processes on one device do not see each other',
    needs: systemMemory,
    text: `process p2
      malloc a 2pages
      cpu write a = 1
      in p2 { malloc b 2pages cpu write b = 2 gpu write b[0] = 3 gpu read a -> n rc e }
      gpu read a -> x
      in p2 { cpu read b -> y }
      assert x == [1, 1] /\\ y == [3, 2] /\\ e < 0`,
  },
  {
    name: 'less device memory than data: slower, never wrong',
    text: `MEM a 64pages
      cpu write a = 1 step 1
      prefetch a to gpu rc e
      pressure 16pages
      gpu write a rand:5 = 101 step 1
      pressure 8pages
      cpu read a -> x
      gpu read a rand:9 -> y
      assert x[0] == 101 /\\ x[63] == 164 /\\ y[0] == 101 /\\ y[63] == 164`,
    needs: ({ memoryPages }) => memoryPages > 0,
    pressure: true,
  },
  {
    name: 'after close the CPU has every value, and the device can do nothing more',
    needs: systemMemory,
    text: `malloc a 8pages
      cpu write a = 1
      gpu write a = 10 step 1
      prefetch a to gpu rc f
      close D0
      gpu read a -> y rc e
      cpu read a -> x
      assert x == [10, 11, 12, 13, 14, 15, 16, 17] /\\ e < 0`,
  },
];
