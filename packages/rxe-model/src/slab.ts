import { declareState } from '@hmm/kernel/internal';
/** Objects of a per-CPU array of a cache whose objects are a page or larger. @kernel mm/slub.c calculate_sheaf_capacity */
const SHEAF_CAPACITY = 4;
/** Full arrays that wait for a CPU. @kernel mm/slub.c MAX_FULL_SHEAVES */
const MAX_FULL_SHEAVES = 10;
/**
 * Objects of the first array that somebody took while the machine booted, and keeps. Fitted: of 0 … 3 the only number with
 * which the stale bytes of the recordings (Linux 7.3.4, one CPU) come from the right packets.
 */
const TAKEN_AT_BOOT = 1;

/** An array of free objects; the last is taken next. @kernel mm/slub.c slab_sheaf */
type Sheaf = Uint8Array[];

/**
 * Which freed object a cache gives out next, on one CPU: from the array of the last freed ones, then from a second, then from
 * arrays that wait, and only then from an array of fresh ones. Objects keep what was in them; fresh ones have zeroes.
 * @kernel mm/slub.c alloc_from_pcs, free_to_pcs (from 7.0 on); what a full store gives back to the slabs comes back fresh here
 */
export class SheafCache {
  /** What of it is state. */
  static readonly state = declareState({
    main: 'value',
    spare: 'value',
    full: 'constant',
    objectBytes: 'constant',
  });

  private main: Sheaf;
  private spare: Sheaf = [];
  /** Full arrays, the one that is taken next last. */
  private readonly full: Sheaf[] = [];
  private readonly objectBytes: number;

  constructor(objectBytes: number) {
    this.objectBytes = objectBytes;
    this.main = this.freshSheaf();
    this.main.length -= TAKEN_AT_BOOT;
  }

  /** An object with what was in it. */
  alloc(): Uint8Array {
    if (this.main.length === 0) this.replaceEmptyMain();
    return this.main.pop() ?? new Uint8Array(this.objectBytes);
  }

  /** Takes an object back. */
  release(object: Uint8Array): void {
    if (this.main.length === SHEAF_CAPACITY) this.replaceFullMain();
    this.main.push(object);
  }

  /** @kernel mm/slub.c __pcs_replace_empty_main */
  private replaceEmptyMain(): void {
    const { main, spare } = this;
    if (spare.length > 0) {
      this.main = spare;
      this.spare = main;
    } else this.main = this.full.pop() ?? this.freshSheaf();
  }

  /** @kernel mm/slub.c refill_sheaf */
  private freshSheaf(): Sheaf {
    return Array.from({ length: SHEAF_CAPACITY }, () => new Uint8Array(this.objectBytes));
  }

  /** @kernel mm/slub.c __pcs_replace_full_main */
  private replaceFullMain(): void {
    const { main, spare } = this;
    if (spare.length < SHEAF_CAPACITY) {
      this.main = spare;
      this.spare = main;
      return;
    }
    if (this.full.length < MAX_FULL_SHEAVES) this.full.push(main);
    else this.spare = main;
    this.main = [];
  }
}
