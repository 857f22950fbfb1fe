import { type Lesson, optionOf, placesAtEnd } from './lesson.js';

const NO_SIDE = -1;

/** The lessons, in the order in which they build on each other. */
export const LESSONS: readonly Lesson[] = [
  {
    title: 'First touch',
    question:
      'A program mallocs 64 KiB that nobody has touched, and the GPU writes it. Where are the pages afterwards, under nouveau and under NVIDIA’s driver?',
    options: [
      'In CPU memory under both',
      'In CPU memory under nouveau, in GPU memory under NVIDIA',
      'In GPU memory under both',
    ],
    explanation:
      'nouveau has hmm_range_fault fault the page in as the CPU would, in host memory, and maps it. NVIDIA’s driver populates it where the first touch came from.',
    run: {
      kind: 'program',
      program: `program first-touch
set gpu = p100-2016

malloc a 64KiB
gpu write a = 5
`,
      clients: ['nouveau', 'nvidia'],
      answer: ([nouveau, nvidia]) => {
        if (nouveau === undefined || nvidia === undefined) return NO_SIDE;
        const onDevice = [nouveau, nvidia].map((run) => placesAtEnd(run).device > 0);
        if (onDevice[0] === true) return onDevice[1] === true ? 2 : NO_SIDE;
        return onDevice[1] === true ? 1 : 0;
      },
    },
  },
  {
    title: 'Who moved my page?',
    question:
      'Under nouveau a program asks for its 16 pages to be in GPU memory, and they are. Then the CPU reads page 3. How many pages are in CPU memory afterwards?',
    options: ['None: the CPU reads over the link', 'One', 'All 16'],
    explanation:
      'The CPU cannot address this device memory: its entry is a device-private one, and the fault calls the driver’s migrate_to_ram. In nouveau that brings home the one page that faulted.',
    run: {
      kind: 'program',
      program: `program who-moved-my-page
set gpu = p100-2016

malloc a 64KiB
cpu write a = 4
prefetch a to gpu
cpu read a[3] -> home
`,
      clients: ['nouveau'],
      answer: ([run]) => (run === undefined ? NO_SIDE : optionOf(placesAtEnd(run).cpu, [0, 1, 16])),
    },
  },
  {
    title: 'Fork and copy on write',
    question:
      'Data is on the GPU with the value 6. The process forks, the parent writes 8, and then the child reads. What does the child see?',
    options: ['6', '8', 'A signal: device memory does not survive fork'],
    explanation:
      'Fork shares the page and takes the write access away, for device-private entries too. The parent’s write faults and gets a copy; the child keeps the old page.',
    run: {
      kind: 'program',
      program: `program fork-and-cow
set gpu = p100-2016

malloc a 4KiB
cpu write a = 6
prefetch a to gpu
fork child
cpu write a = 8
in child { cpu read a -> seen rc failed }
`,
      clients: ['nouveau'],
      answer: ([run]) => {
        if (run === undefined) return NO_SIDE;
        if ((run.values['failed']?.[0] ?? 0) !== 0) return 2;
        return optionOf(run.values['seen']?.[0] ?? NO_SIDE, [6, 8]);
      },
    },
  },
  {
    title: 'The race that the sequence number stops',
    question:
      'A driver reads the CPU’s entry, and enters it in the device’s table, without asking mmu_interval_read_retry whether something was invalidated in between. Can the device end up with a page that the process no longer has?',
    options: [
      'No: the invalidate callback removes the entry',
      'Yes, if the callback runs between the reading and the entering',
    ],
    explanation:
      'The callback finds nothing to remove yet. Only the sequence number, read before and checked under the driver’s lock, tells the driver that what it read is old.',
    run: {
      kind: 'litmus',
      test: 'protocol no-retry\n',
      answer: ({ verdict }) => (verdict === 'violated' ? 1 : 0),
    },
  },
  {
    title: 'The prefetch tree',
    question:
      'One GPU thread reads 2 MiB of managed memory, page after page, under NVIDIA’s driver. The 512 pages could mean 512 faults. How many does it take?',
    options: ['512', '32: one for each 64 KiB', '6', '1'],
    explanation:
      'Each fault brings its 64 KiB, and the largest node of the block’s tree that is then more than 51 % full: 64, 64, 128, 256, 512 and 1024 KiB.',
    run: {
      kind: 'program',
      program: `program prefetch-tree
set gpu = p100

managed a 2MiB
cpu write a = 1
gpu read a serial -> seen
`,
      clients: ['nvidia'],
      answer: ([run]) =>
        run === undefined ? NO_SIDE : optionOf(run.report?.faults ?? NO_SIDE, [512, 32, 6, 1]),
    },
  },
  {
    title: 'Thrashing',
    question:
      'CPU and GPU write the same page in turn, again and again. What does NVIDIA’s driver do about it in the end?',
    options: [
      'Nothing: the page moves every time',
      'It throttles one side, and may pin the page where it is for a while',
      'It kills the process',
    ],
    explanation:
      'Pages that go back and forth within 500 us are detected after three events. Then the two sides are throttled in turn; after ten throttlings the page is pinned, and the other side uses it over the link.',
    run: {
      kind: 'program',
      program: `program thrashing
set gpu = p100

managed a 4KiB
cpu write a = 0
repeat 40 {
  gpu write a[0] = 1
  cpu write a[0] = 2
}
`,
      clients: ['nvidia'],
      answer: ([run]) => {
        if (run === undefined) return NO_SIDE;
        return (run.report?.throttled ?? 0) + (run.report?.pinned ?? 0) > 0 ? 1 : 0;
      },
    },
  },
  {
    title: 'Oversubscription',
    question:
      'A GPU has 4 MiB to spare, and a kernel reads 8 MiB. Which driver makes room by moving other pages out?',
    options: ['Both', 'Only NVIDIA’s', 'Only nouveau', 'Neither'],
    explanation:
      'NVIDIA’s driver evicts whole 2 MiB chunks, the one that no fault service used for longest first. nouveau moves nothing there in the first place, and never evicts.',
    run: {
      kind: 'program',
      program: `program oversubscription
set gpu = p100

pressure 4MiB
malloc a 8MiB
cpu write a = 1
gpu read a
`,
      clients: ['nouveau', 'nvidia'],
      answer: ([nouveau, nvidia]) => {
        if (nouveau === undefined || nvidia === undefined) return NO_SIDE;
        const evicted = [nouveau, nvidia].map((run) => (run.report?.evicted_pages ?? 0) > 0);
        if (evicted[0] === true) return evicted[1] === true ? 0 : 2;
        return evicted[1] === true ? 1 : 3;
      },
    },
  },
  {
    title: 'Exclusive access',
    question:
      'The GPU does a system-scope atomic on a page of CPU memory under nouveau. Where is the data then?',
    options: [
      'Moved to GPU memory',
      'Still in CPU memory, with the CPU’s entry replaced until the CPU touches it',
      'In both',
    ],
    explanation:
      'The page stays. make_device_exclusive_range puts an exclusive entry into the CPU’s table, so that the CPU cannot interfere; its next touch takes the exclusivity back.',
    run: {
      kind: 'program',
      program: `program exclusive-access
set gpu = p100-2016

malloc a 4KiB
cpu write a = 1 width 4
gpu atomic a += 1 width 4
`,
      clients: ['nouveau'],
      answer: ([run]) => {
        if (run === undefined) return NO_SIDE;
        const { cpu, device, both } = placesAtEnd(run);
        if (device > 0) return 0;
        return both > 0 ? 2 : cpu > 0 ? 1 : NO_SIDE;
      },
    },
  },
  {
    title: 'No GPU at all',
    question:
      'The device is a network adapter with on-demand paging, under mlx5. The CPU has stored 5 in 16 pages; a peer reads them over the wire, and writes 6. Where is the data while that happens?',
    options: [
      'It goes to the adapter’s memory and comes back',
      'It stays in CPU memory, neither moved nor pinned: the adapter’s table points at it',
      'It is copied to a buffer that was pinned for the adapter',
    ],
    explanation:
      'An adapter has no memory to migrate to: it is HMM’s mirror half and nothing else. It faults, hmm_range_fault finds the pages, and the driver writes their addresses into the adapter’s table; a notifier takes them out again before they change. The peer is told to try again meanwhile.',
    run: {
      kind: 'program',
      program: `program no-gpu-at-all

malloc a 64KiB
cpu write a = 5
gpu read a -> x
gpu write a = 6
cpu read a -> y
`,
      clients: ['mlx5'],
      answer: ([run]) => {
        if (run === undefined) return NO_SIDE;
        const { cpu, device, both } = placesAtEnd(run);
        if (device > 0) return 0;
        return both > 0 ? 2 : cpu > 0 ? 1 : NO_SIDE;
      },
    },
  },
  {
    title: 'Why the call of 2017 is gone',
    question:
      'In Linux 4.14, the first release with HMM, a driver’s callback came when a change of the CPU’s page table had been made; in the patches of 2016, and since 4.20, it comes before. A page is in device memory, the CPU unmaps it, and the device reads it meanwhile. What can happen in 4.14?',
    options: [
      'Nothing: the callback comes in either case, and takes the entry away',
      'The device goes on with a page that has been freed',
      'The read fails at once, as the page is being unmapped',
    ],
    explanation:
      'Between the begin and the end of the invalidation the page is taken away and freed, and the device still has an entry for it: it reads, or writes, what may be somebody else’s by then. That is why sync_cpu_device_pagetables moved to the begin in 4.20. The same test holds under HMM v13, which told the driver first.',
    run: {
      kind: 'litmus',
      test: `litmus start-to-end
set client = "hmm-4.14"
set window = 1
malloc a 1pages
cpu write a = 5
prefetch a to gpu
gpu read a
T0       | T1 ;
munmap a | gpu read a -> x rc e ;
forall e == 0 /\\ x == 5 \\/ e < 0
`,
      answer: ({ verdict }) => (verdict === 'violated' ? 1 : 0),
    },
  },
];
