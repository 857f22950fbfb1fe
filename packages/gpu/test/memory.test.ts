import { FaultBuffer, type GpuFaultEntry, PhysicalMemory } from '@hmm/gpu';
import { fc } from '@hmm/config/property';
import { describe, expect, it } from 'vitest';

describe('physical memory', () => {
  it('keeps every byte, and none for a frame that is all alike', () => {
    const memory = new PhysicalMemory();
    memory.fill(3, 1, 7);
    expect(memory.stored).toBe(0);
    memory.write(3, 100, 4, 0x01020304);
    expect(memory.stored).toBe(1);
    expect([memory.read(3, 100, 4), memory.readByte(3, 99), memory.readByte(3, 103)]).toEqual([
      0x01020304, 7, 1,
    ]);
    memory.fill(3, 1, 0);
    expect([memory.stored, memory.read(3, 100, 4)]).toEqual([0, 0]);
  });

  it('copies make a copy of their own', () => {
    const host = new PhysicalMemory();
    const device = new PhysicalMemory();
    host.write(1, 0, 2, 0xbeef);
    host.fill(2, 1, 9);
    device.copyFrom(10, host, 1, 2);
    host.write(1, 0, 2, 0);
    expect([device.read(10, 0, 2), device.readByte(11, 4095)]).toEqual([0xbeef, 9]);
  });
});

describe('the fault buffer', () => {
  it('is full one entry before it wraps onto GET, and loses what comes then', () => {
    const buffer = new FaultBuffer(4);
    const delivered = [0, 1, 2, 3].map((vpn) => buffer.push(0, vpn, 1, 2, 5, 10));
    expect(delivered).toEqual([true, true, true, false]);
    expect([buffer.pending, buffer.overflows]).toEqual([3, 1]);
    const entry: GpuFaultEntry = {
      instance: 0,
      vpn: 0,
      access: 0,
      type: 0,
      client: 0,
      gpc: 0,
      utlb: 0,
      timestamp: 0,
    };
    buffer.read(2, entry);
    expect(entry).toMatchObject({ vpn: 2, access: 1, type: 2, utlb: 5, timestamp: 10 });
    buffer.discardTo(buffer.put);
    expect([buffer.pending, buffer.push(0, 9, 1, 2, 0, 0)]).toEqual([0, true]);
  });
});

/** A memory, and bytes 0 and 3 of each of its frames, one by one. */
interface Side {
  readonly memory: PhysicalMemory;
  readonly plain: Uint8Array;
}

describe('contents', () => {
  const FRAMES = 1600;
  const frame = fc.nat(FRAMES - 1);
  const operation = fc.record({
    kind: fc.constantFrom('fill', 'copy', 'write'),
    device: fc.boolean(),
    at: fc.oneof(frame, fc.constantFrom(0, 511, 512, 1024)),
    from: fc.oneof(frame, fc.constantFrom(0, 511, 512, 1024)),
    pages: fc.oneof(fc.nat(40), fc.constantFrom(512, 1024)),
    byte: fc.constantFrom(0, 0, 7, 9),
  });

  it('are those of frames kept one by one, whatever 2 MiB are known to be alike', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 30 }), (operations) => {
        const side = (): Side => ({ memory: new PhysicalMemory(), plain: new Uint8Array(2 * FRAMES) });
        const [host, vidmem] = [side(), side()];
        for (const { kind, device, at, from, pages, byte } of operations) {
          const [to, other] = device ? [vidmem, host] : [host, vidmem];
          const count = Math.min(pages, FRAMES - Math.max(at, from));
          if (kind === 'write') {
            to.memory.writeByte(at, 3, byte);
            to.plain[2 * at + 1] = byte;
          } else if (kind === 'fill') {
            to.memory.fill(at, count, byte);
            to.plain.fill(byte, 2 * at, 2 * (at + count));
          } else {
            to.memory.copyFrom(at, other.memory, from, count);
            to.plain.set(other.plain.subarray(2 * from, 2 * (from + count)), 2 * at);
          }
        }
        for (const { memory, plain } of [host, vidmem]) {
          const wrong = plain.findIndex((byte, i) => memory.readByte(i >> 1, i % 2 === 0 ? 0 : 3) !== byte);
          expect(wrong).toBe(-1);
        }
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});
