import { ENTRY_TABLE } from '@hmm/kernel/internal';
import { framesInUse, type MemorySystem } from '@hmm/mm';
import {
  FIRST_PFN,
  isSwapPte,
  PG_anon,
  PG_head,
  PG_swapcache,
  PG_zone_device,
  PTE_TYPE_MARKER,
  PTE_TYPE_MASK,
  PTE_PRESENT,
} from '@hmm/mm/internal';

/** What the names of frames with names of their own begin at. */
const FIXED = 1 << 20;

/**
 * Names of frames that do not depend on which frames were handed out, but on where they are found: frames are
 * interchangeable, so that two states that only differ in their numbers are one.
 *
 * Frames that are found by their numbers from places which are not looked at here (page cache, swap cache) keep them.
 */
export class FrameNames {
  /** By frame: its name, 0 for none. */
  private readonly names: Int32Array;
  /** By name: the frame. */
  private readonly frames: Int32Array;
  private count = 0;
  /** Frames that go by their numbers, in the order in which they were asked for. */
  private readonly fixed: number[] = [];
  private readonly system: MemorySystem;

  constructor(system: MemorySystem) {
    this.system = system;
    this.names = new Int32Array(system.map.frames);
    this.frames = new Int32Array(system.map.frames + 1);
  }

  /** Forgets all names. */
  clear(): void {
    this.names.fill(0);
    this.count = 0;
    this.fixed.length = 0;
  }

  /** A copy of the names, by frame. */
  copy(): Int32Array {
    return this.names.slice();
  }

  /** The frame with a name now; -1 for none. */
  named(name: number): number {
    if (name <= 0) return -name;
    const pfn = name >= FIXED ? name - FIXED : name > this.count ? 0 : (this.frames[name] ?? 0);
    return this.names[pfn] === name ? pfn : -1;
  }

  /** The name of a frame, given when it is first asked for. */
  readonly of = (pfn: number): number => {
    if (pfn < FIRST_PFN) return -pfn;
    const known = this.names[pfn] ?? 0;
    if (known !== 0) return known;
    const { map } = this.system;
    const flags = map.flags[pfn] ?? 0;
    const cached = (flags & PG_swapcache) !== 0 || ((flags & PG_anon) === 0 && (map.mapping[pfn] ?? 0) !== 0);
    if (cached) this.fixed.push(pfn);
    const name = cached ? FIXED + pfn : ++this.count;
    this.names[pfn] = name;
    if (!cached) this.frames[name] = pfn;
    return name;
  };

  /** Folds the page tables into a hash. */
  foldTables(fold: (word: number) => void): void {
    const { lanes, end } = this.system.tables;
    for (let lane = 0; lane < end; lane += 2) {
      const flags = lanes[lane] ?? 0;
      if (flags === 0) continue;
      const payload = lanes[lane + 1] ?? 0;
      fold(lane);
      fold(flags);
      const frame = flags !== ENTRY_TABLE && ((flags & PTE_PRESENT) !== 0 || namesFrame(flags));
      fold(frame ? this.of(payload) : payload);
    }
  }

  /** Folds the state of all frames that have a name, and of all others that are in use. False where that cannot be done. */
  foldFrames(fold: (word: number) => void): boolean {
    const { system, frames, fixed } = this;
    const { map } = system;
    const end = framesInUse(system);
    for (let pfn = FIRST_PFN; pfn < end; pfn++) if ((map.refcount[pfn] ?? 0) > 0) this.of(pfn);
    // Folding a frame may name others.
    for (let name = 1; name <= this.count; name++) {
      const pfn = frames[name] ?? 0;
      if (((map.flags[pfn] ?? 0) & PG_head) !== 0) return false;
      this.foldFrame(pfn, name, fold);
    }
    for (let i = 0; i < fixed.length; i++) {
      const pfn = fixed[i] ?? 0;
      if (((map.flags[pfn] ?? 0) & PG_head) !== 0) return false;
      this.foldFrame(pfn, FIXED + pfn, fold);
    }
    return true;
  }

  private foldFrame(pfn: number, name: number, fold: (word: number) => void): void {
    const { map, data } = this.system;
    fold(name);
    fold(map.refcount[pfn] ?? 0);
    fold(map.mapcount[pfn] ?? 0);
    fold(map.flags[pfn] ?? 0);
    fold(map.mapping[pfn] ?? 0);
    const device = ((map.flags[pfn] ?? 0) & PG_zone_device) !== 0;
    // A free page of device memory has the offset that it had last, which nobody looks at.
    if (!device || (map.refcount[pfn] ?? 0) > 0) fold(map.index[pfn] ?? 0);
    fold(map.pincount[pfn] ?? 0);
    fold(map.mlockCount[pfn] ?? 0);
    const own = map.private[pfn] ?? 0;
    fold(device && (map.refcount[pfn] ?? 0) > 0 ? this.of(own) : device ? 0 : own);
    if (!device || (map.refcount[pfn] ?? 0) > 0) fold(data.hash(0, [[pfn, pfn + 1]]));
  }
}

/** Whether the payload of an entry that is not present is a frame. */
export function namesFrame(flags: number): boolean {
  const type = flags & PTE_TYPE_MASK;
  return type !== 0 && type !== PTE_TYPE_MARKER && !isSwapPte(flags);
}
