/** A program to begin with. */
export interface Example {
  readonly title: string;
  readonly text: string;
}

/** The program that the project begins with: the CPU stores 5, the GPU loads it. */
export const FIRST_EXAMPLE = `program first-example "The CPU stores 5; the GPU loads it; the CPU looks again."
set gpu = p100-2016

malloc a 64KiB
cpu write a = 5
gpu read a -> gpu_saw
cpu read a -> cpu_saw

assert gpu_saw == cpu_saw
`;

/** The race that the sequence number stops: a driver that leaves out the check. */
export const RACE = `# The sequence-retry protocol with a driver that leaves out mmu_interval_read_retry.
protocol no-retry
`;

/** Programs of the menu, the first example first. */
export const EXAMPLES: readonly Example[] = [
  { title: 'First example: store 5, load 5', text: FIRST_EXAMPLE },
  {
    title: 'First touch by the GPU',
    text: `program first-touch "The GPU writes memory that nobody has touched; the CPU reads it."
set gpu = p100-2016

malloc a 2MiB
gpu write a = 5 step 1
cpu read a -> seen

assert seen[100] == 105
`,
  },
  {
    title: 'Ping-pong on one page',
    text: `program ping-pong "CPU and GPU write one page in turn."
set gpu = p100-2016
let rounds = 24

malloc a 64KiB
cpu write a = 0
repeat rounds {
  gpu write a[0] = 1
  cpu write a[0] = 2
}
`,
  },
  {
    title: 'More data than device memory',
    text: `program oversubscription "8 MiB of data on a GPU that has 4 MiB to spare."
set gpu = p100-2016

pressure 4MiB
malloc a 8MiB
cpu write a = 1 step 1
gpu read a -> first
gpu read a -> second

assert first == second
`,
  },
  {
    title: 'Asked for: prefetch to the GPU',
    text: `program asked-for "The program asks for its data to be on the GPU; the CPU then takes one page."
set gpu = p100-2016

malloc a 2MiB
cpu write a = 4 step 1
prefetch a to gpu rc asked
gpu read a -> seen
cpu read a[3] -> home
gpu read a -> again
`,
  },
  {
    title: 'Fork and copy on write',
    text: `program fork-and-write "A process whose data is on the GPU forks; the child reads, the parent writes."
set gpu = p100-2016

malloc a 64KiB
cpu write a = 6
prefetch a to gpu
fork child
in child { cpu read a -> in_child }
cpu write a = 8
in child { cpu read a -> later }
cpu read a -> in_parent
`,
  },
  {
    title: 'A retry: the CPU unmaps during a GPU fault',
    text: `program retry "The CPU unmaps a page while the driver fills in its entry: the driver begins again."
set gpu = p100-2016

malloc a 64KiB
cpu write a = 2
together {
  thread kernel { gpu write a = 7 rc gpu_rc }
  thread other { sleep 896us munmap a[8..9] }
}
`,
  },
  {
    title: 'Two GPUs share pages',
    text: `program two-gpus "Two GPUs write columns of one array: every page is on both sides of the line."
set gpu = "2xpcie"
let rounds = 4

managed a 256KiB
cpu write a = 0
repeat rounds {
  gpu write a = 1 byte 0
  gpu1 write a = 2 byte 2048
}
gpu read a -> left
gpu1 read a byte 2048 -> right

assert left[0] == 1
assert right[0] == 2
`,
  },
  {
    title: 'Shared atomic counter',
    text: `program atomics "Both sides add to one counter with system-scope atomics."
set gpu = p100-2016

malloc counter 4KiB
cpu write counter = 0 width 4
repeat 8 {
  gpu atomic counter += 1 width 4
  cpu atomic counter += 1 width 4
}
cpu read counter width 4 -> total

assert total == [16]
`,
  },
];
