import type { StreamShape } from '@hmm/device';
import { GPU_ACCESS_ATOMIC_WEAK, GPU_ACCESS_READ, GPU_ACCESS_WRITE, type GpuBulk } from '@hmm/gpu';
import { HmmError, PAGE_SIZE, type Task } from '@hmm/kernel';
import { uvmCpuAccess } from '../uvm-cpu-access.js';
import { uvmDiscard } from '../uvm-discard.js';
import { uvmFork } from '../uvm-fork.js';
import { uvmGetUserPages } from '../uvm-get-user-pages.js';
import { launchKernel } from '../uvm-launch.js';
import { uvmBulkAccess } from '../uvm-memcpy.js';
import { uvmMigrate } from '../uvm-migrate.js';
import {
  uvmDisableReadDuplication,
  uvmEnableReadDuplication,
  uvmSetAccessedBy,
  uvmSetPreferredLocation,
  uvmUnsetAccessedBy,
} from '../uvm-policy.js';
import { UVM_ID_CPU, UVM_ID_GPU, UVM_ID_INVALID, type UvmProcessorId } from '../uvm-types.js';
import type { UvmVaSpace } from '../uvm-va-space.js';
import { sequence } from '../uvm-sequence.js';
import type { CaptureStep } from './capture.js';
import { pagesOfOrder, rangeOfOrder } from './orders.js';

/** What steps work on: a VA space with one allocation, at page `base`, of `pages` pages. */
export interface SteppedMemory {
  readonly space: UvmVaSpace;
  readonly base: number;
  readonly pages: number;
}

/** The capture's atomics are those of the device's scope: they need no more than the right to write. */
const GPU_OPS: Readonly<Record<string, readonly [number, StreamShape]>> = {
  gpu_chain_read: [GPU_ACCESS_READ, 'serial'],
  gpu_chain_write: [GPU_ACCESS_WRITE, 'serial'],
  gpu_chain_atomic: [GPU_ACCESS_ATOMIC_WEAK, 'serial'],
  gpu_par_read: [GPU_ACCESS_READ, 'parallel'],
  gpu_par_write: [GPU_ACCESS_WRITE, 'parallel'],
  gpu_stream_read: [GPU_ACCESS_READ, 'stream'],
};

/** Steps that are a call on an interval of pages. */
type Call = (space: UvmVaSpace, start: number, pages: number) => Task<unknown>;

/** A call with a place: `NAME_gpu` and `NAME_cpu`. */
function placed(
  name: string,
  call: (space: UvmVaSpace, start: number, pages: number, id: UvmProcessorId) => Task<unknown>,
): Readonly<Record<string, Call>> {
  return {
    [`${name}_gpu`]: (space, start, pages) => call(space, start, pages, UVM_ID_GPU),
    [`${name}_cpu`]: (space, start, pages) => call(space, start, pages, UVM_ID_CPU),
  };
}

/** A copy of the runtime's between the pages and a buffer of device or host memory, or a fill. */
function bulk(access: number, kind: GpuBulk): Call {
  return function* (space, start, pages) {
    const { driver, kernel } = space;
    yield* uvmBulkAccess(space, start, pages, access, kind);
    const { copyEngine } = driver.gpu.hw;
    const linkNs = kind === 'host-copy' ? copyEngine.time(pages * PAGE_SIZE, access === GPU_ACCESS_WRITE) : 0;
    yield* kernel.sched.delay(driver.work.copied({ space: space.id, bulk: kind, pages, linkNs }));
  };
}

const CALLS: Readonly<Record<string, Call>> = {
  ...placed('prefetch', uvmMigrate),
  ...placed('preferred', uvmSetPreferredLocation),
  ...placed('accessed_by', uvmSetAccessedBy),
  ...placed('read_mostly', uvmEnableReadDuplication),
  ...placed('unset_preferred', (space, start, pages) =>
    uvmSetPreferredLocation(space, start, pages, UVM_ID_INVALID),
  ),
  ...placed('unset_accessed_by', uvmUnsetAccessedBy),
  ...placed('unset_read_mostly', uvmDisableReadDuplication),
  ...placed('discard', (space, start, pages) => uvmDiscard(space, start, pages, true)),
  fork: (space) => uvmFork(space),
  gup_read: (space, start, pages) => uvmGetUserPages(space, start, pages, false),
  gup_write: (space, start, pages) => uvmGetUserPages(space, start, pages, true),
  memcpy_todev: bulk(GPU_ACCESS_READ, 'copy'),
  memcpy_fromdev: bulk(GPU_ACCESS_WRITE, 'copy'),
  memcpy_tohost: bulk(GPU_ACCESS_READ, 'host-copy'),
  memcpy_fromhost: bulk(GPU_ACCESS_WRITE, 'host-copy'),
  memcpy_set: bulk(GPU_ACCESS_WRITE, 'fill'),
};

/** The number of the GPU that a step of several GPUs' captures runs on (`gpu1_chain_read`), and the step without it. */
export function gpuOfStep(op: string): { readonly number: number; readonly name: string } {
  const found = /^gpu(\d+)_(.*)$/.exec(op);
  return found === null
    ? { number: 0, name: op }
    : { number: Number(found[1]), name: `gpu_${found[2] ?? ''}` };
}

/**
 * What a recorded step does, as a task.
 * @throws HmmError `CAPTURE` for a step that nobody knows.
 */
export function stepTask(memory: SteppedMemory, step: CaptureStep): Task<unknown> {
  const { base, space } = memory;
  const { name, number } = gpuOfStep(step.op);
  const gpu = GPU_OPS[name];
  if (gpu !== undefined) {
    const [access, shape] = gpu;
    const pages = shape === 'stream' ? sequence(memory.pages) : pagesOf(step, memory.pages);
    const accesses = { access, shape, base, pages, offset: 0, width: 1, values: undefined };
    return launchKernel(space, accesses, UVM_ID_GPU + number);
  }
  if (step.op === 'cpu_write' || step.op === 'cpu_read') {
    return uvmCpuAccess(space, {
      base,
      pages: pagesOf(step, memory.pages),
      write: step.op === 'cpu_write',
      offset: 0,
      width: 1,
      values: undefined,
      atomic: false,
    });
  }
  const call = CALLS[step.op];
  if (call === undefined) throw new HmmError('CAPTURE', `no step is called ${step.op}`, { op: step.op });
  const { first, count } = rangeOfOrder(step.order) ?? { first: 0, count: memory.pages };
  return call(space, base + first, count);
}

/** The pages that a step touches: as the capture lists them, else by the name of the order. */
function pagesOf(step: CaptureStep, pages: number): Int32Array {
  const listed = step.pages;
  if (listed !== undefined && (listed.length > 0 || step.count === 0)) return listed;
  return pagesOfOrder(step.order, pages) ?? new Int32Array(0);
}
