import { describe, expect, it } from 'vitest';
import { FaultBuffer, type GpuFaultEntry, PhysicalMemory } from '@hmm/gpu';

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
