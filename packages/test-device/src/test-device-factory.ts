import type { ClientFactory, DriverRules, DriverSteps } from '@hmm/device';
import { TEST_DEVICE_NAMING } from './test-device-naming.js';
import { TestDeviceClient } from './test-device-client.js';

const RULES: DriverRules = {
  gpuFault: 'maps the page where it is: only an ioctl migrates (dmirror_fault).',
  firstTouch: 'faults the page in as the CPU would (hmm_range_fault with REQ_FAULT).',
  cpuFault: 'a CPU fault on a private device page brings that page home (dmirror_devmem_fault).',
  granularity: 'a fault covers the rest of the range of the ioctl, 64 pages a time (dmirror_fault).',
  sharing: 'an invalidation erases the entries; nothing detects thrashing (dmirror_interval_invalidate).',
  oversubscription: 'takes another chunk of device memory; nothing is evicted (dmirror_allocate_chunk).',
  atomics: 'none of its operations is an atomic; excl makes a page exclusive (dmirror_exclusive).',
  hints: 'todev and tosys move a range, and fail with the first page that is not mapped.',
  badAddress: 'the ioctl returns -EFAULT.',
  fork: 'the child shares the pages copy on write, and the mirror stays with the parent; a CPU fault of either brings a page home.',
};

const STEPS: DriverSteps = {
  deviceFault: 'dmirror_fault',
  cpuFault: 'dmirror_devmem_fault',
  batch: 'dmirror_fault: 64 pages a time',
  migration:
    'dmirror_migrate_to_device: migrate_vma_setup, dmirror_migrate_alloc_and_copy, migrate_vma_pages, migrate_vma_finalize',
  mapping: 'dmirror_do_fault',
  retry: 'mmu_interval_read_retry',
  replay: 'dmirror_do_read or dmirror_do_write goes on',
  resolving: ['alloc_and_copy', 'finalize_and_map'],
};

/** First device of each kind of memory. */
const MINORS = new Map([
  ['dmirror-private', 0],
  ['dmirror-coherent', 2],
]);

/** Device memory of a run, pages a chunk. */
const CHUNK_PAGES = 65_536;

/** How an application makes this client. */
export function testDeviceFactory(): ClientFactory<TestDeviceClient> {
  return {
    name: 'test-device',
    title: "the kernel's HMM test device",
    gpus: [...MINORS.keys()],
    settings: { corrected: '1: the device without the two races of the real one' },
    rules: RULES,
    steps: STEPS,
    naming: TEST_DEVICE_NAMING,
    create({ kernel, memory }, gpu, settings) {
      const minor = MINORS.get(gpu);
      if (minor === undefined) return { ok: false, message: `no test device is called ${gpu}` };
      const corrected = settings.get('corrected') ?? '0';
      if (corrected !== '0' && corrected !== '1') {
        return { ok: false, message: `corrected is 0 or 1, not ${corrected}` };
      }
      const options = { chunkPages: CHUNK_PAGES, corrected: corrected === '1' };
      return { ok: true, client: new TestDeviceClient(kernel, memory, minor, options) };
    },
  };
}
