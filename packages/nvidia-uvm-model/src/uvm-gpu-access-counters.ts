import type { AccessCounterNotification, Gpu, GpuPreset } from '@hmm/gpu';
import { SP_PREEMPT, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import { uvmAtsEnabled } from './uvm-capability.js';
import type { UvmGlobal } from './uvm-global.js';
import type { UvmParentGpu } from './uvm-gpu.js';
import { MASK_WORDS, maskAndNot, maskEmpty, maskFill, newMask, type UvmPageMask } from './uvm-page-mask.js';
import type { UvmServiceBlockContext } from './uvm-service-block-context.js';
import { UvmEventTypeAccessCounter } from './uvm-tools.js';
import { UVM_MAKE_RESIDENT_CAUSE_ACCESS_COUNTER, type UvmProcessorId } from './uvm-types.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import { uvmVaBlockAddNotified, uvmVaBlockServiceLocked } from './uvm-va-block-service.js';

/** From this release on the driver understands virtual addresses only, which Volta's counters do not notify of. */
export const UVM_RELEASE_VIRTUAL_NOTIFICATIONS = 575;

/** The one branch that serves virtual addresses on hosts with 4 KiB pages: later 535 and all from 550 on only report them. */
export const UVM_RELEASE_VIRTUAL_ON_4K = 545;

/** Parts of a granule in a notification's mask. */
const SUB_GRANULES = 32;

/** The driver's state of the access counters. @uvm uvm_forward_decl.h uvm_access_counter_buffer_t */
export class UvmAccessCounters {
  /** What of it is state. */
  static readonly state = declareState({
    enabled: 'constant',
    migrates: 'constant',
    batchSize: 'constant',
    batches: { saved: 'a total, which decides nothing' },
    notifications: 'value',
    context: { saved: 'scratch of one service, written before it is read' },
    accessed: { saved: 'scratch of one service, written before it is read' },
  });

  /** Whether migrations are enabled: by `uvm_perf_access_counter_migration_enable`, or, at -1, on systems with ATS. */
  readonly enabled: boolean;
  /** Whether this release migrates on a host with pages of 4 KiB. */
  readonly migrates: boolean;
  readonly batchSize: number;
  /** Batches fetched, notifications served. */
  batches = 0;
  notifications = 0;
  readonly context: UvmServiceBlockContext;
  readonly accessed = newMask();

  constructor(gpu: Gpu, { params, release }: UvmGlobal, context: UvmServiceBlockContext) {
    this.context = context;
    const wish = params.get('uvm_perf_access_counter_migration_enable');
    const wanted = wish < 0 ? uvmAtsEnabled(gpu.preset, params) : wish === 1;
    this.enabled = wanted && accessCountersSupported(gpu.preset, release);
    this.migrates = this.enabled && (isPhysical(gpu.preset) || release === UVM_RELEASE_VIRTUAL_ON_4K);
    this.batchSize = params.get('uvm_perf_access_counter_batch_count');
    gpu.accessCounters.threshold = this.enabled ? params.get('uvm_perf_access_counter_threshold') : 0;
  }
}

/**
 * Whether the counters notify of physical addresses: Volta's do.
 * @uvm uvm_volta.c uvm_hal_volta_arch_init_properties (without: properties that nothing in the model asks
 * for)
 */
function isPhysical({ architecture }: GpuPreset): boolean {
  return architecture === 'volta';
}

function accessCountersSupported(preset: GpuPreset, release: number): boolean {
  if (isPhysical(preset) && release >= UVM_RELEASE_VIRTUAL_NOTIFICATIONS) return false;
  return preset.capability.accessCounters;
}

/**
 * Serves the notification buffer until it is empty, batch by batch: each notification is reported, and what it names is
 * brought to the GPU block by block where this release does that. Counters are cleared where memory was looked at; system
 * memory is left alone and its counters stay as they are.
 * @uvm uvm_gpu_access_counters.c uvm_service_access_counters (without: several buffers, physical
 * notifications)
 */
export function* uvmServiceAccessCounters(gpu: UvmParentGpu): Task {
  const { accessCounters: state, clock, hw, kernel, tools } = gpu;
  while (hw.accessCounters.notifications.length > 0) {
    const batch = hw.accessCounters.fetch(state.batchSize);
    batch.sort((a, b) => a.instance - b.instance || a.vpn - b.vpn);
    state.batches++;
    if (kernel.sched.exploring) yield SP_PREEMPT;
    for (const notification of batch) {
      const { vpn, pages, subGranules } = notification;
      state.notifications++;
      tools.record(UvmEventTypeAccessCounter, clock.time(), vpn, pages, subGranules);
      if (state.migrates) yield* serviceNotification(gpu, notification);
    }
  }
}

function* serviceNotification(gpu: UvmParentGpu, notification: AccessCounterNotification): Task {
  const { instance, vpn, pages } = notification;
  const space = gpu.spaceOf(instance);
  if (space === undefined) return;
  if (!space.lock.tryReadFast()) yield* space.lock.read();
  let cleared = space.hmm?.findBlock(vpn) === undefined;
  for (let at = vpn; at < vpn + pages;) {
    const block = space.block(at);
    if (block === undefined) {
      at++;
      continue;
    }
    cleared = (yield* serviceBlock(gpu, block, notification)) && cleared;
    at = block.start + block.pages;
  }
  space.lock.unlockRead();
  if (cleared) gpu.hw.accessCounters.clear(instance, vpn);
}

/** Moves what the GPU uses of a block; false when it failed, and the counter is to stay as it is. */
function* serviceBlock(
  { accessCounters, clock, id, kernel, work }: UvmParentGpu,
  block: UvmVaBlock,
  notification: AccessCounterNotification,
): Task<boolean> {
  if (!block.lock.tryFast()) yield* block.lock.lock();
  const { accessed, context: ctx } = accessCounters;
  ctx.begin(UVM_MAKE_RESIDENT_CAUSE_ACCESS_COUNTER, clock.time());
  expandNotification(accessed, block, id, notification);
  uvmVaBlockAddNotified(ctx, block, id, accessed);
  for (let at = 0; at < block.processorCount; at++) maskAndNot(ctx.goingTo(at), block.masks(at).resident);
  const idle = ctx.destinations() === 0;
  const done = idle || uvmVaBlockServiceLocked(ctx, block, id);
  if (!idle) yield* kernel.sched.delay(work.notificationServed(ctx.done.copyNs));
  block.lock.unlock();
  return done;
}

/**
 * The pages of the block that the notification names, as far as they are elsewhere: stored in `accessed`. Stale where
 * the GPU maps nothing of the block any more.
 * @uvm uvm_gpu_access_counters.c expand_notification_block (all)
 */
function expandNotification(
  accessed: UvmPageMask,
  block: UvmVaBlock,
  id: UvmProcessorId,
  notification: AccessCounterNotification,
): void {
  accessed.fill(0);
  if (maskEmpty(block.masks(id).read)) return;
  const { vpn, pages, subGranules } = notification;
  const size = pages / SUB_GRANULES;
  for (let part = 0; part < SUB_GRANULES; part++) {
    if (((subGranules >>> part) & 1) === 0) continue;
    const first = Math.max(0, vpn + part * size - block.start);
    const outer = Math.min(block.pages, vpn + (part + 1) * size - block.start);
    if (first < outer) maskFill(accessed, first, outer);
  }
  for (let word = 0; word < MASK_WORDS; word++) {
    let elsewhere = 0;
    for (let at = 0; at < block.processorCount; at++)
      if (at !== id) elsewhere |= block.masks(at).resident[word] ?? 0;
    accessed[word] = (accessed[word] ?? 0) & elsewhere & ~(block.masks(id).resident[word] ?? 0);
  }
}
