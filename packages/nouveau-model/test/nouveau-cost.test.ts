import { gpuPreset } from '@hmm/gpu';
import { describe, expect, test } from 'vitest';
import { nouveauCost } from '../src/nouveau-cost.js';
import { Setup } from './setup.js';

/** What the time of one kernel that faults once is made of, ns. */
function oneFault(): { took: number; driver: number; warm: number } {
  const s = new Setup({}, 'p100');
  const a = s.malloc(2);
  s.cpuWrite(a, 2, 1);
  const timed = (): number => {
    const before = s.kernel.sched.now;
    s.gpu(a, [0], 'read', 0, 'serial');
    return s.kernel.sched.now - before;
  };
  const { interrupt, record, rangeFault, pfnmap, command } = s.client.drm.cost;
  const driver = [interrupt, record, rangeFault, pfnmap, command].reduce((sum, { value }) => sum + value, 0);
  return { took: timed(), driver, warm: timed() };
}

describe('what a fault costs (estimates, but of a known order)', () => {
  test('is the entry, one record, one walk, one mapping and one replay', () => {
    const { took, driver, warm } = oneFault();
    const rest = took - driver;
    // What is left is the access itself, twice, across the link at most.
    expect(rest).toBeGreaterThanOrEqual(0);
    expect(rest).toBeLessThan(2 * warm + 2 * gpuPreset('p100').access.remoteRead.value);
  });

  test('is tens of microseconds, as faults of the vendor driver are: most of it the way to the first look', () => {
    const { took } = oneFault();
    expect(took).toBeGreaterThan(20_000);
    expect(took).toBeLessThan(200_000);
    const { interrupt } = nouveauCost(gpuPreset('p100'));
    expect(interrupt.value).toBeGreaterThan(took / 4);
  });

  test('the host makes its part slower or faster, the link the reading of records', () => {
    const [fast, slow] = [nouveauCost(gpuPreset('h100')), nouveauCost(gpuPreset('p100'))];
    const scale = gpuPreset('p100').serviceScale.value / gpuPreset('h100').serviceScale.value;
    for (const name of [
      'interrupt',
      'rangeFault',
      'pfnmap',
      'pfnclr',
      'command',
      'migratePage',
      'fence',
    ] as const)
      expect(slow[name].value / fast[name].value).toBeCloseTo(scale, 6);
    // A fault record is 32 bytes, read word by word across the link: microseconds, not tens of them.
    for (const { record } of [fast, slow]) {
      expect(record.value).toBeGreaterThan(1000);
      expect(record.value).toBeLessThan(30_000);
    }
  });

  test('no part of a page in a migration costs more than a fault: that is why pages are migrated in pieces', () => {
    const cost = nouveauCost(gpuPreset('h100'));
    const fault =
      cost.interrupt.value +
      cost.record.value +
      cost.rangeFault.value +
      cost.pfnmap.value +
      cost.command.value;
    for (const name of [
      'migratePage',
      'pfnmap',
      'pfnclr',
      'command',
      'rangeFault',
      'fence',
      'exclusive',
    ] as const)
      expect(cost[name].value).toBeLessThan(fault / 2);
  });
});
