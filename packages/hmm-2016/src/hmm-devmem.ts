import type { Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import { type DevPagemap, type DevPagemapOps, MEMORY_DEVICE_PRIVATE, type VmFault } from '@hmm/mm';
import { folioLock } from '@hmm/mm/internal';
import { memremapPages, zoneDevicePageInit } from '@hmm/migrate';
import type { HmmCore } from './hmm.js';

/** What a driver does for memory that the CPU cannot reach. @v13 patch 17 hmm_devmem_ops */
export interface HmmDevmemOps {
  /** A page is used by nobody any more. (In 2016 its count was 1 then; today's core has it at 0.) */
  free(page: number): void;
  /** The CPU has touched a page: bring it home. Returns `VM_FAULT_*`, 0 to repeat the access. */
  fault(vmf: VmFault): Task<number>;
}

/** Memory of a device, as either version hot-plugs it. @v13 patch 17 hmm_devmem */
export class HmmDevmem implements DevPagemapOps {
  /** What of it is state. */
  static readonly state = declareState({
    core: 'constant',
    ops: { outside: 'the driver saves itself' },
    owner: 'constant',
    pagemap: 'value',
    faulting: 'constant',
  });

  readonly core: HmmCore;
  readonly ops: HmmDevmemOps;
  /** Number of its owner; neither version tells owners apart. */
  readonly owner: number;
  /** The frames; undefined once they are given back. */
  pagemap: DevPagemap | undefined;
  /** Pages on which faults of the CPU hold a reference, each as often as there are such faults. */
  private readonly faulting: number[] = [];

  constructor(core: HmmCore, ops: HmmDevmemOps) {
    this.core = core;
    this.ops = ops;
    this.owner = core.memory.kernel.allocIds(1);
  }

  /** Takes `pages` frames. @returns 0 or a negative errno. */
  add(pages: number): number {
    const request = { type: MEMORY_DEVICE_PRIVATE, nr: pages, owner: this.owner, ops: this };
    const pagemap = memremapPages(this.core.memory, request);
    if (typeof pagemap === 'number') return pagemap;
    this.pagemap = pagemap;
    return 0;
  }

  /** Faults of the CPU that hold a reference on `page`: today's core takes one for each, that of 2016 took none. */
  faultsOn(page: number): number {
    let faults = 0;
    for (const one of this.faulting) if (one === page) faults++;
    return faults;
  }

  /** Makes a free page ready as a destination: locked, with one reference. */
  init(page: number): void {
    zoneDevicePageInit(this.core.memory, page);
  }

  /** @inheritdoc */
  pageFree(page: number): void {
    this.core.touch();
    this.ops.free(page);
  }

  /**
   * Asks the driver, as the fault of 2016 did: without the page's lock, which a core of `faultLocksPage` holds meanwhile and wants back.
   */
  *migrateToRam(vmf: VmFault): Task<number> {
    const { memory } = this.core;
    this.core.touch();
    if (memory.kernel.does.faultLocksPage) memory.map.unlock(memory.map.folio(vmf.page));
    this.faulting.push(vmf.page);
    const ret = yield* this.ops.fault(vmf);
    this.faulting.splice(this.faulting.indexOf(vmf.page), 1);
    if (memory.kernel.does.faultLocksPage) yield* folioLock(memory, memory.map.folio(vmf.page));
    return ret;
  }
}
