import { describe, expect, test } from 'vitest';
import {
  findDifferences,
  formatBytes,
  formatCompare,
  formatCount,
  formatShare,
  formatTable,
  formatTime,
  summarySentence,
  wrapText,
  type ClientReport,
  type Rules,
} from '@hmm/report';

const report = (client: string, changes: Partial<ClientReport>): ClientReport => ({
  client,
  gpu: 'p100',
  release: '7.3',
  changed: [],
  error: null,
  fatal: null,
  failed: [],
  values: { x: [5] },
  faults: 0,
  batches: 0,
  cpu_faults: 0,
  bytes_to_device: 0,
  bytes_to_host: 0,
  by_cause: {},
  remote_accesses: 0,
  remote_maps: 0,
  invalidations: 0,
  retries: 0,
  replays: 0,
  throttled: 0,
  pinned: 0,
  evicted_pages: 0,
  time_ns: 1000,
  time_by_part: { running: 1000, fault_wait: 0, copying: 0, invalidating: 0 },
  ...changes,
});
const rulesOf = (name: string): Rules => ({
  gpuFault: `${name} gpuFault.`,
  firstTouch: `${name} firstTouch.`,
  cpuFault: `${name} cpuFault.`,
  granularity: `${name} granularity.`,
  sharing: `${name} sharing.`,
  oversubscription: `${name} oversubscription.`,
  atomics: `${name} atomics.`,
  fork: `${name} fork.`,
  hints: `${name} hints.`,
  badAddress: `${name} badAddress.`,
});
const rules = new Map([
  ['nouveau', rulesOf('nouveau')],
  ['nvidia', rulesOf('nvidia')],
]);

describe('figures for people', () => {
  test('bytes, times, counts, shares', () => {
    expect([formatBytes(0), formatBytes(4096), formatBytes(2 ** 21), formatBytes(3 * 2 ** 38)]).toEqual([
      '0 B',
      '4.0 KiB',
      '2.0 MiB',
      '768 GiB',
    ]);
    expect([formatTime(12), formatTime(1234), formatTime(4.56e7), formatTime(2e9)]).toEqual([
      '12 ns',
      '1.23 us',
      '45.6 ms',
      '2.00 s',
    ]);
    expect(formatCount(1234567)).toBe('1,234,567');
    expect([formatShare(1, 3), formatShare(1, 1000), formatShare(1, 0)]).toEqual(['33 %', '<1 %', '0 %']);
  });

  test('tables align numbers to the right and stay inside the line', () => {
    const text = formatTable(
      [{ title: 'name' }, { title: 'n', align: 'right' }, { title: 'why' }],
      [['a', '1,000', 'word '.repeat(30).trim()]],
      40,
    );
    expect(text.split('\n')[0]).toBe('name      n  why');
    expect(text.split('\n').every((line) => line.length <= 40)).toBe(true);
    expect(wrapText('a b c', 3)).toBe('a b\nc');
  });
});

describe('side by side', () => {
  const moves = report('nvidia', {
    faults: 1,
    batches: 1,
    bytes_to_device: 65536,
    by_cause: { fault: { to_device: 4096, to_host: 0 }, prefetch: { to_device: 61440, to_host: 0 } },
    time_ns: 3000,
    time_by_part: { running: 1000, fault_wait: 1500, copying: 500, invalidating: 0 },
  });
  const stays = report('nouveau', { faults: 1, batches: 1, remote_accesses: 1 });

  test('a difference names the rule of each driver', () => {
    const [first, second, time] = findDifferences([stays, moves], rules);
    expect(first).toEqual({
      what: 'nouveau moved nothing to the device; nvidia moved 64.0 KiB to the device',
      why: 'nouveau: nouveau gpuFault. nvidia: nvidia gpuFault.',
    });
    expect(second?.what).toContain('nouveau made 1 access over the link; nvidia reached nothing');
    expect(time?.what).toBe("nvidia took 3.00 us, 3.0x nouveau's 1.00 us");
    expect(time?.why).toBe('nvidia spends 1.50 us more waiting for faults.');
  });

  test('clients that do the same have no difference', () => {
    expect(findDifferences([stays, { ...stays, client: 'nvidia' }], rules)).toEqual([]);
  });

  test('a client that cannot run says why, and its numbers are not compared', () => {
    const refused = report('nouveau', { error: 'this GPU cannot replay a fault' });
    expect(findDifferences([refused, moves], rules)).toEqual([
      { what: 'nouveau could not run it to its end', why: 'this GPU cannot replay a fault' },
    ]);
  });

  test('values that differ come first', () => {
    expect(findDifferences([stays, report('nvidia', { values: { x: [4] } })], rules)[0]?.what).toBe(
      'nouveau has x = 5; nvidia has x = 4',
    );
  });

  test('the page fits a terminal and says the cost first', () => {
    const differences = findDifferences([stays, moves], rules);
    const text = formatCompare({
      version: 1,
      program: 'first-example',
      gpu: 'p100',
      clients: [stays, moves],
      differences,
    });
    expect(text.split('\n').filter((line) => line.length > 80)).toEqual([]);
    expect(text).toContain('bytes to device            0 B  64.0 KiB');
    expect(summarySentence(moves)).toBe(
      'nvidia on p100: 3.00 us, 50 % of the time waiting for faults; 1 GPU fault, 64.0 KiB moved.',
    );
  });
});
