import { regionOf } from '@hmm/operations/internal';
import {
  GPU_ACCESS_ATOMIC_STRONG,
  GPU_ACCESS_PREFETCH,
  GPU_ACCESS_READ,
  GPU_ACCESS_WRITE,
  GPU_FAULT_INVALID_PTE,
} from '@hmm/gpu';
import { type Task } from '@hmm/kernel';
import { ENTRY_TABLE } from '@hmm/kernel/internal';
import { type MmStruct } from '@hmm/mm';
import { findPmd, isDeviceExclusivePte, isHuge, ptePresent } from '@hmm/mm/internal';
import {
  NVIF_VMM_PFNMAP_V0_A,
  NVIF_VMM_PFNMAP_V0_V,
  NVIF_VMM_PFNMAP_V0_VRAM,
  NVIF_VMM_PFNMAP_V0_W,
} from '../nvif.js';
import { nouveauSvmFault } from '../nouveau-svm-fault.js';
import type { NouveauSvm } from '../nouveau-svm.js';
import type { FakeEvents } from './fake-events.js';
import { FakeGpu } from './fake-gpu.js';
import type { FakeVmm } from './fake-vmm.js';

/** Kinds of an access, by the letter that a recording has for each. */
export type AccessType = 'r' | 'w' | 'a' | 'p';

/** One access. */
export interface AccessItem {
  readonly type: AccessType;
  readonly vpn: number;
  readonly value: number;
}

/** An access whose fault was cancelled. */
const CANCELLED = -1;
/** One through an entry that names a host page which the process no longer has there: it was not made. */
const STALE = -2;
/** One that still faulted after all rounds. */
const STILL_FAULTING = -3;
/** One that was neither cancelled nor replayed. */
const FORGOTTEN = -4;

const MAX_ROUNDS = 8;
/** Units of the ring's records: clients within a unit of eight. */
const UTLBS_PER_CLIENT = 8;

const GPU_ACCESS: Readonly<Record<AccessType, number>> = {
  r: GPU_ACCESS_READ,
  w: GPU_ACCESS_WRITE,
  a: GPU_ACCESS_ATOMIC_STRONG,
  p: GPU_ACCESS_PREFETCH,
};

/** Accesses of one client at once, against the fake GPU's table and the recorded driver's fault handler. */
export class FakeAccess {
  private readonly gpu: FakeGpu;
  private readonly svm: NouveauSvm;
  private readonly events: FakeEvents;
  private readonly vmm: FakeVmm;
  /** The process that the client mirrors. */
  private readonly mm: MmStruct;

  constructor(gpu: FakeGpu, svm: NouveauSvm, events: FakeEvents, vmm: FakeVmm, mm: MmStruct) {
    this.gpu = gpu;
    this.svm = svm;
    this.events = events;
    this.vmm = vmm;
    this.mm = mm;
  }

  /** Makes them, in rounds. @returns a value an item, and how often the work item ran. */
  *run(items: readonly AccessItem[]): Task<{ rounds: number; values: number[] }> {
    const values: (number | undefined)[] = items.map(() => undefined);
    let rounds = 0;
    let left = STILL_FAULTING;
    for (; rounds < MAX_ROUNDS; rounds++) {
      const faulting = this.round(items, values);
      if (faulting.length === 0) break;
      const { replays } = this.gpu;
      this.gpu.cancelled.clear();
      yield* nouveauSvmFault(this.svm);
      for (const i of faulting) {
        if (this.gpu.cancelled.has(i)) values[i] = CANCELLED;
        else if (items[i]?.type === 'p') values[i] = 0;
      }
      if (this.gpu.replays === replays) {
        left = FORGOTTEN;
        rounds++;
        break;
      }
    }
    return { rounds, values: values.map((value) => value ?? left) };
  }

  /** Does what is allowed of what is left; the rest faults. @returns the items that did. */
  private round(items: readonly AccessItem[], values: (number | undefined)[]): number[] {
    const faulting: number[] = [];
    const { faultBuffer } = this.gpu;
    const { client } = this.vmm;
    for (const [i, item] of items.entries()) {
      if (values[i] !== undefined) continue;
      values[i] = this.access(item);
      if (values[i] !== undefined) continue;
      const kind = GPU_ACCESS[item.type];
      faultBuffer.push(
        FakeGpu.instance(client),
        item.vpn,
        kind,
        GPU_FAULT_INVALID_PTE,
        i * UTLBS_PER_CLIENT,
        0,
      );
      this.noteFault(item, i);
      faulting.push(i);
    }
    return faulting;
  }

  private noteFault({ type, vpn }: AccessItem, i: number): void {
    const where = regionOf(vpn);
    if (where !== undefined) this.events.note('fault', this.vmm.client, type, where.region, where.offset, i);
  }

  /** Makes an access that the entry allows; undefined for one that faults. */
  private access({ type, vpn, value }: AccessItem): number | undefined {
    const { phys, pfn } = this.vmm.entry(vpn);
    if ((phys & NVIF_VMM_PFNMAP_V0_V) === 0) return undefined;
    if (type === 'w' && (phys & NVIF_VMM_PFNMAP_V0_W) === 0) return undefined;
    if (type === 'a' && (phys & NVIF_VMM_PFNMAP_V0_A) === 0) return undefined;
    if (type === 'p') return 0;
    if ((phys & NVIF_VMM_PFNMAP_V0_VRAM) === 0 && !this.has(vpn, pfn)) return STALE;
    const { data } = this.mm.system;
    const old = data.readByte(pfn, 0);
    if (type === 'w') data.writeByte(pfn, 0, value & 255);
    else if (type === 'a') data.writeByte(pfn, 0, (old + value) & 255);
    return type === 'w' ? 0 : old;
  }

  /** Whether the process has frame `pfn` at page `vpn`. */
  private has(vpn: number, pfn: number): boolean {
    const { lanes } = this.mm.system.tables;
    const pmd = findPmd(this.mm, vpn);
    if (pmd < 0) return false;
    const flags = lanes[pmd] ?? 0;
    const frame = lanes[pmd + 1] ?? 0;
    if (isHuge(flags)) return ptePresent(flags) && frame + (vpn & 511) === pfn;
    if (flags !== ENTRY_TABLE) return false;
    const entry = frame + 2 * (vpn & 511);
    const pte = lanes[entry] ?? 0;
    return (ptePresent(pte) || isDeviceExclusivePte(pte)) && lanes[entry + 1] === pfn;
  }
}
