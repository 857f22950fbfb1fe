import type { ClientFactory, DriverRules, DriverSteps } from '@hmm/device';
import { findGpuPreset, GPU_PRESETS } from '@hmm/gpu';
import { isRelease, PAGE_SIZE, RELEASES } from '@hmm/kernel';
import { NOUVEAU_NAMING } from './nouveau-naming.js';
import { NouveauClient, type NouveauClientOptions } from './nouveau-client.js';
import {
  isNouveauDefect,
  NOUVEAU_BEHAVIOURS,
  NOUVEAU_DEFECTS,
  type NouveauDefect,
} from './nouveau-behaviours.js';
import type { NouveauOptions } from './nouveau-options.js';
import type { FirmwareSource } from './nvkm-firmware.js';

/** Which images a directory holds; undefined where there is no such directory. Reading it is the application's. */
export type FirmwareDirectories = (path: string) => FirmwareSource | undefined;

/** Each as recordings of the real driver show it: `tools/golden/nouveau-6.12`, by the number of the rule in its README. */
const RULES: DriverRules = {
  gpuFault:
    'maps the page where it is, in host memory, and moves nothing: only SVM_BIND migrates (nouveau_range_fault; recorded, rule 2). A store to a page in device memory that is read-only since a fork or an mprotect is mapped read-only and faults for ever (rule 7).',
  firstTouch:
    'faults the page in as the CPU would, in host memory (hmm_range_fault with REQ_FAULT; recorded).',
  cpuFault:
    'a CPU fault on a device page brings that one page home, from 6.19 on the 2 MiB that it was moved with, and it stays there (nouveau_dmem_migrate_to_ram; recorded, rule 11).',
  granularity:
    'a fault brings one page, or what the CPU maps as one huge page; all faults in the ring are one work item with one replay; no prefetch. Faults 2 GiB apart are served in a wrong order (nouveau_svm_fault; recorded, rules 1 to 4).',
  sharing:
    'host pages are mapped by both sides at once; nothing detects thrashing. A change of the address space unmaps the range from the GPU, but for MIGRATE events of its own device: a second client keeps what the first has moved (nouveau_svmm_invalidate_range_start; recorded, rule 8).',
  oversubscription:
    'never evicts: what does not fit stays in host memory, and SVM_BIND says nothing (nouveau_dmem_page_alloc_locked; recorded, rule 10).',
  atomics:
    'makes the page exclusive to the device, in host memory, until the CPU touches it. The first atomic on a page in device memory, on one only read so far or shared since a fork is tried for a second and kills the channel; so does one on a page of a large folio, at once (nouveau_atomic_range_fault; recorded, rule 6).',
  fork: 'pages in device memory are shared copy-on-write; a CPU fault of the child brings its page home and clears the mirror of the parent; an SVM_BIND of the child maps its pages for the parent (nouveau_svmm_bind; recorded, rules 11 and 12).',
  hints:
    'SVM_BIND moves anonymous pages to device memory, returns 0 whatever happened, and has no way back. Of file and shared memory the GPU then uses device memory that is freed; from 6.19 on nothing is mapped after it, and what was mapped stays, on freed host pages (nouveau_dmem_migrate_chunk; recorded, rule 9).',
  badAddress:
    'cancels the fault: the channel is killed, the process goes on (nouveau_svm_fault_cancel; recorded, rule 4).',
};

const STEPS: DriverSteps = {
  deviceFault: 'nouveau_svm_fault_cache reads the record',
  cpuFault: 'nouveau_dmem_migrate_to_ram',
  batch: 'nouveau_svm_fault: one work item',
  migration: 'nouveau_dmem_migrate_vma: migrate_vma_setup, copy, migrate_vma_pages, migrate_vma_finalize',
  mapping: 'nouveau_pfns_map',
  retry: 'mmu_interval_read_retry',
  replay: 'nouveau_svm_fault_replay',
  resolving: ['pfns_map', 'pfn_map'],
};

/** How an application makes this client. @param directories finds firmware directories; without it there are none. */
export function nouveauFactory(
  directories: FirmwareDirectories = () => undefined,
): ClientFactory<NouveauClient> {
  return {
    name: 'nouveau',
    title: 'nouveau SVM',
    gpus: ['p100', ...GPU_PRESETS.map(({ name }) => name).filter((name) => name !== 'p100')],
    settings: {
      kernel: `release whose nouveau is modelled: ${RELEASES.join(', ')}`,
      firmware: 'all signed images (default), none, or a directory that holds them',
      gsp: 'on: GSP-RM runs Turing and Ampere GPUs',
      vram: 'device memory, MiB',
      mended: `defects that are mended: all, or some of ${NOUVEAU_DEFECTS.join(', ')}`,
      defects: 'the only defects that it has, whatever the release: none, or some of the same',
      unmanaged: 'the interval that stays for buffer objects: ADDRESS+BYTES, such as 0x100000000000+4096',
    },
    rules: RULES,
    steps: STEPS,
    naming: NOUVEAU_NAMING,
    release: (settings) => RELEASES.find((release) => release === settings.get('kernel')),
    behaviours: Object.keys(NOUVEAU_BEHAVIOURS),
    create({ kernel, memory, exploration }, gpu, settings) {
      const preset = findGpuPreset(gpu);
      if (preset === undefined) return { ok: false, message: `no GPU is called ${gpu}` };
      const options = optionsOf(settings, directories);
      if (typeof options === 'string') return { ok: false, message: options };
      return { ok: true, client: new NouveauClient(kernel, memory, preset, { ...options, exploration }) };
    },
  };
}

function optionsOf(
  settings: ReadonlyMap<string, string>,
  directories: FirmwareDirectories,
): NouveauClientOptions | string {
  let options: NouveauClientOptions = {};
  for (const [key, value] of settings) {
    const more = optionOf(key, value, directories);
    if (typeof more === 'string') return more;
    options = { ...options, ...more };
  }
  return options;
}

function optionOf(
  key: string,
  value: string,
  directories: FirmwareDirectories,
): NouveauClientOptions | string {
  switch (key) {
    case 'kernel':
      return isRelease(value) ? {} : `kernel is one of ${RELEASES.join(', ')}, not ${value}`;
    case 'firmware':
      return firmwareOf(value, directories);
    case 'gsp':
      return value === 'on' || value === 'off' ? { gspRm: value === 'on' } : `gsp is on or off, not ${value}`;
    case 'vram':
      if (!/^[1-9]\d*$/.test(value)) return `vram is a size in whole MiB (8MiB, 1GiB), not ${value}`;
      return { vramPages: (Number(value) * 1024 * 1024) / PAGE_SIZE };
    case 'mended':
      return mendedOf(value);
    case 'defects': {
      const defects = value === 'none' ? [] : defectsOf(value);
      return typeof defects === 'string' ? defects : { defects };
    }
    case 'unmanaged':
      return unmanagedOf(value);
    default:
      return `nouveau has no setting called ${key}`;
  }
}

function firmwareOf(value: string, directories: FirmwareDirectories): NouveauOptions | string {
  if (value === 'all') return {};
  if (value === 'none') return { firmware: () => false };
  const firmware = directories(value);
  if (firmware !== undefined) return { firmware };
  return `firmware is all, none, or a directory: there is none called ${value}`;
}

function mendedOf(value: string): NouveauOptions | string {
  if (value === 'all') return { mended: value };
  const mended = defectsOf(value);
  return typeof mended === 'string' ? mended : { mended };
}

function defectsOf(value: string): NouveauDefect[] | string {
  const defects: NouveauDefect[] = [];
  for (const name of value.split(',')) {
    if (!isNouveauDefect(name)) return `there is no defect ${name} (defects: ${NOUVEAU_DEFECTS.join(', ')})`;
    defects.push(name);
  }
  return defects;
}

function unmanagedOf(value: string): NouveauClientOptions | string {
  const [, addr, size] = /^(0x[0-9a-f]+|\d+)\+(0x[0-9a-f]+|\d+)$/.exec(value) ?? [];
  if (addr === undefined || size === undefined) return `unmanaged is ADDRESS+BYTES, not ${value}`;
  return { unmanaged: { addr: Number(addr), size: Number(size) } };
}
