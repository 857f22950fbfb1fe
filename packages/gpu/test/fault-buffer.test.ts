import { describe, expect, it } from 'vitest';
import { FaultBuffer } from '../src/fault-buffer.js';

/** A buffer with an entry that arrives at each of `times`. */
function filled(...times: number[]): FaultBuffer {
  const buffer = new FaultBuffer(8);
  times.forEach((time, i) => buffer.push(0, 100 + i, 0, 0, 0, time));
  return buffer;
}

describe('faults on their way', () => {
  it('PUT at a time counts what has arrived by then', () => {
    const buffer = filled(10, 20, 30);
    expect([buffer.putBy(5), buffer.putBy(10), buffer.putBy(25), buffer.putBy(99)]).toEqual([0, 1, 2, 3]);
    expect([buffer.pending, buffer.nextArrival]).toEqual([3, 10]);
  });

  it('a replay raises anew what has not arrived, but for what the driver has seen', () => {
    const buffer = filled(10, 20, 30);
    buffer.retract(15);
    expect(buffer.pending).toBe(1);
    const seen = filled(10, 20, 30);
    seen.putBy(20);
    seen.retract(15);
    expect(seen.pending).toBe(2);
  });

  it('what the driver saw before its flush says nothing of later entries, round after round', () => {
    const buffer = filled(1, 2);
    buffer.discardTo(buffer.put);
    for (let at = 0; at < 20; at++) {
      buffer.push(0, at, 0, 0, 0, 100);
      buffer.retract(50);
      expect(buffer.pending).toBe(0);
      buffer.push(0, at, 0, 0, 0, 100);
      buffer.discardTo(buffer.put);
    }
  });

  it('goes round: entries before and behind the end of the ring', () => {
    const buffer = filled(1, 2, 3, 4, 5, 6);
    buffer.discardTo(buffer.putBy(6));
    for (const time of [7, 8, 9, 10]) buffer.push(0, time, 0, 0, 0, time);
    expect([buffer.putBy(7), buffer.putBy(8), buffer.putBy(9)]).toEqual([7, 0, 1]);
    buffer.retract(0);
    expect(buffer.pending).toBe(3);
  });

  it('takes as many warps as there is room for, and counts the others', () => {
    const buffer = filled(1, 2, 3);
    buffer.discardTo(buffer.put);
    expect([buffer.pushWarps(0, 7, 1, 2, 40, 5, 9), buffer.pushWarps(0, 8, 1, 2, 0, 5, 9)]).toEqual([5, 2]);
    expect([buffer.pending, buffer.overflows, buffer.push(0, 9, 0, 0, 0, 9)]).toEqual([7, 3, false]);
    expect([buffer.utlb(3), buffer.utlb(7)]).toEqual([40, 44]);
  });

  it('knows how far the same is told, round the end of the ring, up to what is asked and PUT', () => {
    const buffer = filled(1, 2, 3, 4, 5);
    buffer.discardTo(buffer.put);
    buffer.pushWarps(0, 7, 1, 2, 0, 6, 9);
    expect([buffer.sameUntil(6, buffer.put, 99), buffer.sameUntil(6, buffer.put, 2)]).toEqual([3, 0]);
    buffer.discardTo(6);
    buffer.push(0, 7, 0, 2, 0, 9);
    expect(buffer.sameUntil(6, buffer.put, 99)).toBe(3);
    expect(buffer.sameUntil(6, 1, 99)).toBe(1);
  });
});
