import type { ClientFactory, DriverRules, DriverSteps } from '@hmm/device';
import { findGpuPreset, findGpuTopology, GPU_PRESETS, GPU_TOPOLOGIES } from '@hmm/gpu';
import { PAGE_SIZE } from '@hmm/kernel';
import { UVM_RELEASE } from './uvm-capability.js';
import { parseUvmCosts } from './timing/uvm-cost-file.js';
import type { UvmFigures } from './timing/uvm-figures.js';
import { UvmClient } from './uvm-client.js';
import type { UvmPerfPolicy } from './uvm-perf-policy.js';
import type { UvmManagedAccess } from './uvm-managed-access.js';
import { UVM_NAMING } from './uvm-naming.js';
import { uvmPrefetchTree } from './uvm-prefetch-explained.js';
import {
  moduleParameterNames,
  moduleParametersUnknownTo,
  moduleParameterText,
  UvmModuleParams,
} from './uvm-module-params.js';

const RULES: DriverRules = {
  gpuFault:
    'migrates the page to device memory, unless advice or pinning keeps it where it is (block_select_processor_residency).',
  firstTouch:
    'populates the page, zeroed, where the first touch came from: the GPU gets it in device memory.',
  cpuFault:
    'a CPU fault on a page in device memory brings it home, and the next GPU fault takes it back (uvm_vm_fault, uvm_hmm_migrate_to_ram).',
  granularity:
    'a fault brings its 64 KiB region and the largest tree node of the 2 MiB block that is more than 51 % full (uvm_perf_prefetch).',
  sharing:
    'pages that go back and forth within 500 us are detected after three events, then throttled in turn, and pinned after ten throttlings (uvm_perf_thrashing).',
  oversubscription:
    'evicts 2 MiB root chunks, the one that no fault service used for longest first (uvm_pmm_gpu).',
  atomics:
    'migrates the page: system-scope atomics are done in device memory; the CPU faults it back for its own.',
  fork: 'managed memory is not inherited: the child gets SIGBUS; the rest of its memory is copy-on-write as ever (uvm_vm_open_managed).',
  hints:
    'cudaMemPrefetchAsync moves either way; preferred location, accessed-by and read-mostly change what faults do.',
  badAddress:
    'cancels the access, and with it the context: Xid 31, every later launch fails; the process and others go on.',
};

const STEPS: DriverSteps = {
  deviceFault: 'fetch_fault_buffer_entries reads the record',
  cpuFault: 'uvm_vm_fault',
  batch: 'uvm_parent_gpu_service_replayable_faults: a batch',
  migration: 'uvm_va_block_make_resident: populate, unmap, copy',
  mapping: 'uvm_va_block_map',
  retry: 'mmu_interval_read_retry',
  replay: 'push_replay_on_gpu',
  resolving: ['make_resident'],
};

/**
 * How an application makes this client. Each module parameter is a setting under its own name.
 * @param policy makes the decisions that replace the driver's own, for each client afresh.
 */
export function uvmFactory(policy?: () => UvmPerfPolicy): ClientFactory<UvmClient> {
  return factoryWith(undefined, policy);
}

/** The factory with `figures` for what the driver's work costs; the recorded machine's without. */
function factoryWith(
  figures: UvmFigures | undefined,
  policy: (() => UvmPerfPolicy) | undefined,
): ClientFactory<UvmClient> {
  const settings: Record<string, string> = {
    vram: 'device memory, MiB',
    concurrent_managed_access:
      '0: a kernel has all managed memory to itself, and no CPU may touch any until it ends; 1',
    wsl: '1: as under WSL, no concurrent access, and managed memory stays on the host; 0',
    release: `driver release branch whose rules apply where they differ; ${UVM_RELEASE}`,
  };
  for (const name of moduleParameterNames()) settings[name] = moduleParameterText(name);
  return {
    name: 'nvidia',
    title: 'NVIDIA UVM 580.159.04',
    gpus: [
      'h100',
      ...GPU_PRESETS.map(({ name }) => name).filter((name) => name !== 'h100'),
      ...GPU_TOPOLOGIES.map(({ name }) => name),
    ],
    settings,
    rules: RULES,
    steps: STEPS,
    naming: UVM_NAMING,
    prefetchTree: uvmPrefetchTree,
    withCosts(text) {
      const costs = parseUvmCosts(text);
      return costs.ok ? { ok: true, factory: factoryWith(costs.figures, policy) } : costs;
    },
    create({ kernel, memory, seed, exploration }, gpu, chosen) {
      const machine = findGpuPreset(gpu) ?? findGpuTopology(gpu);
      if (machine === undefined) return { ok: false, message: `no GPU is called ${gpu}` };
      const explored = exploration !== undefined;
      const read = readSettings(explored ? new Map([...WITHOUT_TIME, ...chosen]) : chosen);
      if (typeof read === 'string') return { ok: false, message: read };
      const { params, managedAccess, memoryPages, release, notes } = read;
      const client = new UvmClient(kernel, memory, machine, {
        params,
        seed,
        release,
        managedAccess,
        ...(memoryPages === undefined ? {} : { memoryPages }),
        ...(figures === undefined ? {} : { figures }),
        ...(policy === undefined ? {} : { policy: policy() }),
        exploration,
      });
      client.driver.log.push(...notes);
      return { ok: true, client };
    },
  };
}

/**
 * Parameters of a driver that is explored, unless they are chosen otherwise: where time stands still, all that happens is within one
 * window of the thrashing detector.
 */
const WITHOUT_TIME: ReadonlyMap<string, string> = new Map([['uvm_perf_thrashing_enable', '0']]);

interface Settings {
  readonly params: UvmModuleParams;
  readonly notes: string[];
  memoryPages: number | undefined;
  release: number;
  managedAccess: UvmManagedAccess;
}

/** Settings by name, or one line on what is wrong with them. */
function readSettings(chosen: ReadonlyMap<string, string>): Settings | string {
  const read: Settings = {
    params: new UvmModuleParams(),
    notes: [],
    memoryPages: undefined,
    release: UVM_RELEASE,
    managedAccess: 'concurrent',
  };
  for (const [name, text] of chosen) {
    const value = Number(text);
    if (text.trim() === '' || !Number.isInteger(value))
      return name === 'vram'
        ? `vram is a size in whole MiB (8MiB, 1GiB), not ${text}`
        : `${name} takes a whole number, not ${text}`;
    if (name === 'vram') {
      if (value < 2) return `vram is at least 2 MiB, not ${text}`;
      read.memoryPages = (value * 1024 * 1024) / PAGE_SIZE;
      continue;
    }
    if (name === 'concurrent_managed_access' || name === 'wsl') {
      if (value !== 0 && value !== 1) return `${name} is 0 or 1, not ${text}`;
      if (name === 'wsl' && value === 1) read.managedAccess = 'host';
      else if (name !== 'wsl' && value === 0 && read.managedAccess === 'concurrent')
        read.managedAccess = 'exclusive';
      continue;
    }
    if (name === 'release') {
      if (value < 535 || value > 595) return `release is 535 to 595, not ${text}`;
      read.release = value;
      continue;
    }
    const outcome = read.params.set(name, value);
    if (!outcome.ok) return outcome.message;
    if (outcome.how !== 'taken') read.notes.push(`nvidia-uvm: ${outcome.message}`);
  }
  for (const name of moduleParametersUnknownTo(read.params, read.release)) {
    read.notes.push(`nvidia_uvm: unknown parameter '${name}' ignored`);
  }
  return read;
}
