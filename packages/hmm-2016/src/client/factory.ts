import type { ClientFactory, ClientResult, DriverRules, DriverSteps, FunctionNaming } from '@hmm/device';
import {
  HMM_2016_BEHAVIOURS,
  type Hmm2016BehaviourName,
  type Hmm2016Version,
  isHmm2016Behaviour,
} from '../behaviours.js';
import { ANNOUNCED_DEVICE, Hmm2016Client } from './hmm-2016-client.js';

const WINDOW = 16;
const MOVES = 3;
const MAX_WINDOW = 512;

const SETTINGS = {
  window: `pages that a fault covers, aligned: 1 to ${MAX_WINDOW} (default ${WINDOW})`,
  moves: `times that a page goes to the device before it is left in place, 0: it always is (default ${MOVES})`,
  mend: 'defects of this version that are mended, separated by commas',
  invariants:
    'yes, or no: its own invariants are not asked about, so that what comes of a broken one is seen (default yes)',
  look: 'monitor, or lock: v13 enters what is mapped already under a range lock (default monitor)',
};

const TITLES: Readonly<Record<Hmm2016Version, string>> = {
  v13: 'HMM v13, as posted in November 2016',
  '4.14': 'HMM of Linux 4.14, the first release with it',
};

function rulesOf(version: Hmm2016Version): DriverRules {
  const v13 = version === 'v13';
  return {
    gpuFault: `moves the page and what is around it (${v13 ? 'hmm_vma_migrate' : 'migrate_vma'}), or, after it has gone ${MOVES} times, points an entry at it where it is.`,
    firstTouch: v13
      ? 'faults the page in as the CPU would, and moves it: what nobody has touched cannot be migrated (hmm_vma_fault).'
      : 'faults the whole window in as the CPU would, and moves it (hmm_vma_fault).',
    cpuFault:
      'a CPU fault on a page in device memory brings that page home (hmm_devmem_ops.fault, hmm_devmem_fault_range).',
    granularity: v13
      ? 'a fault covers aligned 64 KiB: of these it asks for the one page, and takes along what is there.'
      : 'a fault covers aligned 64 KiB, and one write flag is for all of it: what is not there is faulted in.',
    sharing: v13
      ? 'the callback comes before the change; nothing is read while a change of the address space runs (hmm_vma_range_monitor_start).'
      : 'the callback comes when the change has been made: until then the device goes on with the old page (hmm_invalidate_range_end).',
    oversubscription:
      'pages that find no room stay in host memory, mapped there; nothing is evicted, since HMM knows no way from a page to its users.',
    atomics: 'has none: a device could not keep the CPU out of a page before 2021.',
    hints: 'a prefetch moves what can be moved of the range, there and back.',
    badAddress: 'the access fails: no VMA, or one that does not allow it.',
    fork: 'the child shares the pages copy on write, in device memory too; the mirror stays with the parent.',
  };
}

function stepsOf(version: Hmm2016Version): DriverSteps {
  const v13 = version === 'v13';
  return {
    deviceFault: 'the device faults, and its interrupt names an address that the driver does not know',
    cpuFault: 'hmm_devmem_fault calls the driver, which brings the page home by hmm_devmem_fault_range',
    batch: 'hmm_vma_fault says whether the address is valid on the CPU',
    migration: v13
      ? 'hmm_vma_migrate: collect, lock and isolate, unmap, alloc_and_copy, finalize_and_map'
      : 'migrate_vma: collect, prepare, unmap, alloc_and_copy, finalize_and_map',
    mapping: v13
      ? 'hmm_vma_range_monitor_end, under the lock of the driver, lets it commit'
      : 'hmm_vma_range_done, under the lock of the driver, lets it commit',
    retry: v13 ? 'hmm_vma_range_monitor_end' : 'hmm_vma_range_done',
    replay: 'the driver has the device do the access again',
    resolving: ['alloc_and_copy', 'finalize_and_map', 'hmm_vma_fault'],
  };
}

const NAMING: FunctionNaming = {
  functions: {},
  methods: {
    'HmmDevmem.migrateToRam': 'hmm_devmem_fault',
    'HmmDevmem.pageFree': 'hmm_devmem_free',
    'Object.allocAndCopy': 'alloc_and_copy',
    'Object.finalizeAndMap': 'finalize_and_map',
    'MirrorProcess.update': 'update',
  },
  unnamed: ['observedTask', 'runStream'],
};

/** How an application makes the client on one of the two versions. */
export function hmm2016Factory(version: Hmm2016Version): ClientFactory<Hmm2016Client> {
  return {
    name: `hmm-${version}`,
    title: TITLES[version],
    gpus: [ANNOUNCED_DEVICE],
    settings: SETTINGS,
    rules: rulesOf(version),
    steps: stepsOf(version),
    naming: NAMING,
    // The memory below it is that of 6.12 unless asked for otherwise: its tests were made on that.
    release: () => '6.12',
    create({ memory, exploration }, gpu, settings): ClientResult<Hmm2016Client> {
      if (gpu !== ANNOUNCED_DEVICE)
        return { ok: false, message: `hmm-${version} drives ${ANNOUNCED_DEVICE}, not ${gpu}` };
      const window = whole(settings.get('window'), WINDOW);
      const moves = whole(settings.get('moves'), MOVES);
      const look = settings.get('look') ?? 'monitor';
      const invariants = settings.get('invariants') ?? 'yes';
      if (invariants !== 'yes' && invariants !== 'no')
        return { ok: false, message: `invariants is yes or no, not ${invariants}` };
      const mended = mendedOf(version, settings.get('mend') ?? '');
      if (window < 1 || window > MAX_WINDOW || Number.isNaN(window))
        return {
          ok: false,
          message: `window is 1 to ${MAX_WINDOW} pages, not ${settings.get('window') ?? ''}`,
        };
      if (Number.isNaN(moves))
        return { ok: false, message: `moves is a whole number, not ${settings.get('moves') ?? ''}` };
      if (look !== 'monitor' && look !== 'lock')
        return { ok: false, message: `look is monitor or lock, not ${look}` };
      if (typeof mended === 'string') return { ok: false, message: mended };
      const options = {
        version,
        window,
        moves,
        mended,
        looksUnderLock: look === 'lock',
        unasked: invariants === 'no',
      };
      return {
        ok: true,
        client: new Hmm2016Client(memory, { ...options, exploration: exploration?.object }),
      };
    },
  };
}

function whole(text: string | undefined, usual: number): number {
  if (text === undefined) return usual;
  return /^\d+$/.test(text) ? Number(text) : Number.NaN;
}

/** The defects that are to be mended, or what is wrong with their names. */
function mendedOf(version: Hmm2016Version, text: string): Hmm2016BehaviourName[] | string {
  const mended: Hmm2016BehaviourName[] = [];
  for (const name of text.split(',').filter((one) => one !== '')) {
    if (isHmm2016Behaviour(name) && HMM_2016_BEHAVIOURS[name].bug) mended.push(name);
    else {
      const known = Object.entries(HMM_2016_BEHAVIOURS).filter(([, row]) => row.bug);
      return `hmm-${version} has no defect ${name} (defects: ${known.map(([one]) => one).join(', ')})`;
    }
  }
  return mended;
}
