import { describe, expect, it } from 'vitest';
import { gpuPreset } from '../src/presets.js';
import { type SmAccesses, SmFaults } from '../src/sm-faults.js';

const path = gpuPreset('h100').faultPath;

/** Threads whose pages are `pages`; those in `mapped` let their thread pass. */
class Pages implements SmAccesses {
  readonly mapped = new Set<number>();
  readonly passed: number[] = [];
  private readonly pages: readonly number[];

  constructor(pages: readonly number[]) {
    this.pages = pages;
  }

  page(thread: number): number {
    return this.pages[thread] ?? -1;
  }

  tryAccess(thread: number): boolean {
    if (!this.mapped.has(this.page(thread))) return false;
    this.passed.push(thread);
    return true;
  }

  map(first: number, count: number): void {
    for (let i = 0; i < count; i++) this.mapped.add(first + i);
  }
}

const sequence = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const waiting = (sm: SmFaults): number[] => [...sm.outstanding.subarray(0, sm.waiting)];
const sorted = (list: readonly number[]): number[] => [...list].sort((a, b) => a - b);

function started(pages: readonly number[], sectors = 14, kind: 'read' | 'write' = 'read') {
  const accesses = new Pages(pages);
  const sm = new SmFaults(path, 128, sectors, kind);
  sm.addBlock(0, pages.length, accesses);
  sm.start(accesses);
  return { accesses, sm };
}

describe('the faults of one SM', () => {
  it('a uTLB asks for 14 sectors: 56 pages in sequence, 14 that lie apart', () => {
    expect(started(sequence(128)).sm.waiting).toBe(56);
    expect(started(sequence(128).map((i) => i * 16)).sm.waiting).toBe(14);
    expect(started(sequence(20)).sm.waiting).toBe(20);
  });

  it('the upper warps of the first thread block come first: all of the third, most of the fourth', () => {
    const { sm } = started(sequence(128));
    expect(sorted(waiting(sm))).toEqual(sequence(56).map((i) => i + 64));
  });

  it('the four pages of a sector come in an order that flips their numbers alike', () => {
    const { sm } = started(sequence(128));
    for (let at = 0; at < 56; at += 4) {
      const four = waiting(sm).slice(at, at + 4);
      const flip = (four[0] ?? 0) % 4;
      expect(four.map((thread) => (thread % 4) ^ flip)).toEqual([0, 1, 2, 3]);
    }
    expect(new Set(sequence(14).map((s) => (waiting(sm)[s * 4] ?? 0) % 4)).size).toBe(4);
  });

  it('a replay lets pass what is mapped and raises the rest again: nothing new while anything waits', () => {
    const { sm, accesses } = started(sequence(128));
    accesses.map(64, 48);
    sm.retry(accesses);
    expect(sorted(accesses.passed)).toEqual(sequence(48).map((i) => i + 64));
    expect(sorted(waiting(sm))).toEqual(sequence(8).map((i) => i + 112));
  });

  it.each([
    ['read', 7],
    ['write', 4],
  ] as const)('after a replay that let all pass, the next accesses fault: a %s few, %i', (kind, few) => {
    const { sm, accesses } = started(sequence(128), 14, kind);
    accesses.map(64, 64);
    sm.retry(accesses);
    expect(sm.waiting).toBe(few);
    expect(waiting(sm).every((thread) => thread < 8)).toBe(true);
    accesses.map(0, 64);
    sm.retry(accesses);
    expect(sm.finished).toBe(true);
    expect(sorted(accesses.passed)).toEqual(sequence(128));
  });
});
