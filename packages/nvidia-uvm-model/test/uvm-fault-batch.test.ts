import { FaultBuffer } from '@hmm/gpu';
import { fc } from '@hmm/config/property';
import { describe, expect, it } from 'vitest';
import { UvmFaultBatch } from '../src/uvm-fault-batch.js';

interface Fault {
  readonly instance: number;
  readonly page: number;
  readonly access: number;
  readonly utlb: number;
  readonly warps: number;
}

interface Entry {
  readonly instance: number;
  readonly page: number;
  readonly utlb: number;
  access: number;
  merged: number;
}

const BASE = 0x7f0000000;

/** A ring of 64 entries that begins at `start`, with `faults` delivered as far as there is room. */
function bufferOf(faults: readonly Fault[], start = 0): FaultBuffer {
  const buffer = new FaultBuffer(64);
  for (let at = 0; at < start; at++) buffer.push(0, 0, 0, 0, 0, 0);
  buffer.discardTo(buffer.put);
  for (const { instance, page, access, utlb, warps } of faults)
    buffer.pushWarps(instance, BASE + page, access, 2, utlb, warps, 0);
  return buffer;
}

/** The rule, a fault at a time: into the last entry of its uTLB, else into the last of all, where that is for the same page. */
function coalesced(faults: readonly Fault[], max: number): Entry[] {
  const entries: Entry[] = [];
  const lastOfUtlb = new Map<number, Entry>();
  const single = faults.flatMap((fault) =>
    Array.from({ length: fault.warps }, (_, warp) => ({ ...fault, utlb: fault.utlb + warp })),
  );
  for (const fault of single.slice(0, max)) {
    const samePage = (entry: Entry | undefined): entry is Entry =>
      entry?.page === fault.page && entry.instance === fault.instance;
    const own = lastOfUtlb.get(fault.utlb);
    const last = entries.at(-1);
    if (samePage(own)) {
      own.access = Math.max(own.access, fault.access);
      own.merged++;
    } else if (samePage(last) && fault.access <= last.access) {
      last.merged++;
      lastOfUtlb.set(fault.utlb, last);
    } else {
      const { instance, page, access, utlb } = fault;
      const entry = { instance, page, utlb, access, merged: 1 };
      entries.push(entry);
      lastOfUtlb.set(utlb, entry);
    }
  }
  return entries;
}

function entriesOf(batch: UvmFaultBatch): Entry[] {
  return Array.from({ length: batch.count }, (_, i) => ({
    instance: batch.instance[i] ?? 0,
    page: (batch.vpn[i] ?? 0) - BASE,
    utlb: batch.utlb[i] ?? 0,
    access: batch.access[i] ?? 0,
    merged: batch.merged[i] ?? 0,
  }));
}

const fault = fc.record({
  instance: fc.nat(1),
  page: fc.nat(3),
  access: fc.nat(4),
  utlb: fc.nat(5),
  warps: fc.integer({ min: 1, max: 6 }),
});

describe('a batch of faults', () => {
  it('coalesces entry by entry, however many warps fault alike', () => {
    fc.assert(
      fc.property(
        fc.array(fault, { maxLength: 10 }),
        fc.nat(63),
        fc.integer({ min: 1, max: 64 }),
        (faults, start, max) => {
          const buffer = bufferOf(faults, start);
          const batch = new UvmFaultBatch(256);
          batch.fetch(buffer, max, true);
          expect(entriesOf(batch)).toEqual(coalesced(faults, max));
          const total = faults.reduce((sum, { warps }) => sum + warps, 0);
          expect([batch.cached, buffer.pending]).toEqual([Math.min(total, max), Math.max(total - max, 0)]);
          expect(batch.coalesced).toBe(batch.cached - batch.count);
        },
      ),
    );
  });

  it('without coalescing has an entry a fault', () => {
    const buffer = bufferOf([{ instance: 0, page: 1, access: 0, utlb: 0, warps: 5 }]);
    const batch = new UvmFaultBatch(256);
    batch.fetch(buffer, 256, false);
    expect([batch.count, batch.coalesced]).toEqual([5, 0]);
  });

  it.each([5, 64, 65, 5000])(
    'of %i entries is served by address, the most intrusive access first',
    (count) => {
      const buffer = new FaultBuffer(8192);
      for (let i = 0; i < count; i++) buffer.push(0, BASE + ((i * 7919) % 1000), i % 5, 2, i, 0);
      const batch = new UvmFaultBatch(8192);
      batch.fetch(buffer, count, false);
      batch.sort();
      const order = [...batch.order.subarray(0, count)];
      expect(new Set(order).size).toBe(count);
      const keys = order.map((i) => ((batch.vpn[i] ?? 0) - BASE) * 8 + 7 - (batch.access[i] ?? 0));
      expect(keys).toEqual([...keys].sort((a, b) => a - b));
    },
  );

  it('serves one address space after the other', () => {
    const buffer = new FaultBuffer(64);
    for (const [instance, page] of [
      [2, 5],
      [1, 9],
      [2, 3],
      [1, 4],
    ] as const)
      buffer.push(instance, BASE + page, 0, 2, page, 0);
    const batch = new UvmFaultBatch(64);
    batch.fetch(buffer, 64, true);
    batch.sort();
    expect([...batch.order.subarray(0, 4)]).toEqual([3, 1, 2, 0]);
  });
});
