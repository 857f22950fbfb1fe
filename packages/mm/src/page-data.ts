import { PAGE_SIZE } from '@hmm/kernel';
import { declareState, ownState, hashWord, hashWords } from '@hmm/kernel/internal';
import { clearColumn, refill, setColumn } from './columns.js';
import type { FrameRange } from './mem-map.js';

/** Frames that there is room for once there is one that needs room. */
const INITIAL_SLOTS = 8;

/** The bytes while every frame is uniform: a machine that is set back ten thousand times a second should be small. */
const NO_BYTES = new Uint8Array(0);

/** A saved {@link PageData}; opaque. */
export interface PageDataState {
  readonly ranges: readonly FrameRange[];
  readonly fill: readonly Uint8Array[];
  readonly slot: readonly Int32Array[];
  readonly bytes: Uint8Array;
  readonly slots: number;
  readonly free: number[];
}

const OWN = 'saved as far as it is in use';

/** A frame of which one byte differs from the rest: where, and what it is, in a negative number that stands for its slot. */
const oneByte = (offset: number, value: number): number => -1 - (offset + PAGE_SIZE * value);
const byteOffset = (slot: number): number => (-1 - slot) % PAGE_SIZE;
const byteValue = (slot: number): number => Math.floor((-1 - slot) / PAGE_SIZE);

/**
 * What is in the pages: every byte that a program writes. A frame whose bytes are all the same costs no storage but
 * its fill byte, and neither does one in which a single byte differs, as programs that mark their pages leave them; a second
 * one gives it 4 KiB. Frames are indexed by pfn, system and device alike.
 */
export class PageData {
  /** What of it is state. */
  static readonly state = declareState(
    {
      fresh: { outside: 'set by the constructor alone' },
      fill: { outside: OWN },
      slot: { outside: OWN },
      bytes: { outside: OWN },
      slots: { outside: OWN },
      freeSlots: { outside: OWN },
    },
    ownState(PageData, {
      save: (data) => {
        const saved = data.save([[0, data.fill.length]]);
        return {
          words: data.words(saved.ranges),
          restore: (): void => {
            data.restore(saved, []);
          },
        };
      },
      fold: (data, hash) => {
        hash.word(data.hash(0, [[0, data.fill.length]]));
      },
    }),
  );

  /** What every byte of a frame is that nobody has written to. */
  private readonly fresh: number;
  private readonly fill: Uint8Array;
  /** Index of the frame's 4 KiB in `bytes`, from 1; 0 while the frame is uniform, {@link oneByte} while one byte differs. */
  private readonly slot: Int32Array;
  private bytes = NO_BYTES;
  private slots = 1;
  private readonly freeSlots: number[] = [];

  constructor(frames: number, fresh = 0) {
    this.fresh = fresh;
    this.fill = new Uint8Array(frames).fill(fresh);
    this.slot = new Int32Array(frames);
  }

  /** Byte `offset` (0 … 4095) of the frame. */
  readByte(pfn: number, offset: number): number {
    const slot = this.slot[pfn] ?? 0;
    if (slot > 0) return this.bytes[slot * PAGE_SIZE + offset] ?? 0;
    return slot < 0 && byteOffset(slot) === offset ? byteValue(slot) : (this.fill[pfn] ?? 0);
  }

  /** Writes one byte; the value is taken modulo 256. */
  writeByte(pfn: number, offset: number, value: number): void {
    let slot = this.slot[pfn] ?? 0;
    if (slot <= 0) {
      const byte = value & 255;
      const same = this.fill[pfn] === byte;
      if (slot === 0 || byteOffset(slot) === offset) {
        this.slot[pfn] = same ? 0 : oneByte(offset, byte);
        return;
      }
      if (same) return;
      slot = this.materialise(pfn);
    }
    this.bytes[slot * PAGE_SIZE + offset] = value;
  }

  /** Copies bytes [offset, offset + into.length) of the frame into `into`. */
  read(pfn: number, offset: number, into: Uint8Array): void {
    const slot = this.slot[pfn] ?? 0;
    if (slot <= 0) {
      into.fill(this.fill[pfn] ?? 0);
      const at = slot < 0 ? byteOffset(slot) - offset : -1;
      if (at >= 0 && at < into.length) into[at] = byteValue(slot);
    } else {
      const start = slot * PAGE_SIZE + offset;
      into.set(this.bytes.subarray(start, start + into.length));
    }
  }

  /** Writes `from` at `offset`; must stay inside the frame. */
  write(pfn: number, offset: number, from: Uint8Array): void {
    let slot = this.slot[pfn] ?? 0;
    if (slot <= 0) slot = this.materialise(pfn);
    this.bytes.set(from, slot * PAGE_SIZE + offset);
  }

  /** Makes `from` the whole frame: a byte that all of it has costs no storage. */
  writePage(pfn: number, from: Uint8Array): void {
    const first = from[0] ?? 0;
    this.fillPage(pfn, first);
    if (!from.every((byte) => byte === first)) this.write(pfn, 0, from);
  }

  /** Makes every byte of the frame `value` (modulo 256). */
  fillPage(pfn: number, value: number): void {
    this.release(pfn);
    this.fill[pfn] = value;
  }

  /** Copies a whole frame. @kernel include/linux/highmem.h copy_highpage (all) */
  copyPage(to: number, from: number): void {
    const source = this.slot[from] ?? 0;
    if (source <= 0) {
      this.fillPage(to, this.fill[from] ?? 0);
      this.slot[to] = source;
      return;
    }
    let target = this.slot[to] ?? 0;
    if (target <= 0) target = this.takeSlot(to);
    this.bytes.copyWithin(target * PAGE_SIZE, source * PAGE_SIZE, (source + 1) * PAGE_SIZE);
  }

  /** Copies a whole frame of `source`, which keeps the contents of other memory. */
  copyFrom(to: number, source: PageData, from: number): void {
    const slot = source.slot[from] ?? 0;
    if (slot <= 0) {
      this.fillPage(to, source.fill[from] ?? 0);
      this.slot[to] = slot;
    } else {
      const start = slot * PAGE_SIZE;
      this.write(to, 0, source.bytes.subarray(start, start + PAGE_SIZE));
    }
  }

  /** Whether all 4,096 bytes are 0. */
  isZero(pfn: number): boolean {
    const slot = this.slot[pfn] ?? 0;
    if (slot < 0) return false;
    if (slot === 0) return this.fill[pfn] === 0;
    const end = (slot + 1) * PAGE_SIZE;
    for (let at = slot * PAGE_SIZE; at < end; at++) if (this.bytes[at] !== 0) return false;
    return true;
  }

  /** Gives the frame's storage back; the frame then reads as its last fill byte. */
  release(pfn: number): void {
    const slot = this.slot[pfn] ?? 0;
    if (slot === 0) return;
    if (slot > 0) this.freeSlots.push(slot);
    this.slot[pfn] = 0;
  }

  /** A copy of the contents of the frames in `ranges`. */
  save(ranges: readonly FrameRange[]): PageDataState {
    return {
      ranges,
      fill: ranges.map(([start, end]) => this.fill.slice(start, end)),
      slot: ranges.map(([start, end]) => this.slot.slice(start, end)),
      bytes: this.bytes.slice(0, this.slots * PAGE_SIZE),
      slots: this.slots,
      free: [...this.freeSlots],
    };
  }

  /** What the frames in `ranges` hold and where it is stored, as plain data to be compared. */
  words(ranges: readonly FrameRange[]): unknown {
    const { slots, freeSlots } = this;
    const slot = ranges.map(([start, end]) => this.slot.slice(start, end));
    return [slot, slots, [...freeSlots], this.hash(0, ranges)];
  }

  /** Sets the contents back, and the frames of `cleared` to zeroes. */
  restore(state: PageDataState, cleared: readonly FrameRange[]): void {
    for (const [start, end] of cleared) {
      this.fill.fill(this.fresh, start, end);
      clearColumn(this.slot, start, end);
    }
    for (let r = 0; r < state.ranges.length; r++) {
      const start = state.ranges[r]?.[0] ?? 0;
      setColumn(this.fill, start, state.fill[r] ?? this.fill);
      setColumn(this.slot, start, state.slot[r] ?? this.slot);
    }
    if (this.bytes.length < state.bytes.length) this.bytes = state.bytes.slice();
    else this.bytes.set(state.bytes);
    this.slots = state.slots;
    refill(this.freeSlots, state.free);
  }

  /** Folds the contents of the frames in `ranges` into `hash`, wherever they are stored. */
  hash(hash: number, ranges: readonly FrameRange[]): number {
    let h = hash;
    for (const [start, end] of ranges) {
      for (let pfn = start; pfn < end; pfn++) {
        const slot = this.slot[pfn] ?? 0;
        if (slot <= 0) h = hashWord(slot === 0 ? h : hashWord(h, slot), this.fill[pfn] ?? 0);
        else h = hashWords(h, this.bytes, slot * PAGE_SIZE, (slot + 1) * PAGE_SIZE);
      }
    }
    return h;
  }

  private materialise(pfn: number): number {
    const before = this.slot[pfn] ?? 0;
    const slot = this.takeSlot(pfn);
    this.bytes.fill(this.fill[pfn] ?? 0, slot * PAGE_SIZE, (slot + 1) * PAGE_SIZE);
    if (before < 0) this.bytes[slot * PAGE_SIZE + byteOffset(before)] = byteValue(before);
    return slot;
  }

  private takeSlot(pfn: number): number {
    let slot = this.freeSlots.pop();
    if (slot === undefined) {
      slot = this.slots++;
      if (this.slots * PAGE_SIZE > this.bytes.length) {
        const grown = new Uint8Array(Math.max(INITIAL_SLOTS * PAGE_SIZE, this.bytes.length * 2));
        grown.set(this.bytes);
        this.bytes = grown;
      }
    }
    this.slot[pfn] = slot;
    return slot;
  }
}
