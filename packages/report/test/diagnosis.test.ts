import { defineTracepoint, Trace } from '@hmm/kernel';
import { EVENT_DEVICE_FAULT, EVENT_THROTTLED, EVENT_TO_DEVICE, EVENT_TO_HOST } from '@hmm/kernel/internal';
import { formatResidencyMap, RunEvents } from '@hmm/report';
import { expect, test } from 'vitest';

const FAULT = defineTracepoint('test:fault', { value: '', means: EVENT_DEVICE_FAULT, says: 'a fault' });
const MIGRATION = defineTracepoint('test:move', {
  value: 'cause, and 64 for to the device',
  means: (value) => (value >= 64 ? EVENT_TO_DEVICE : EVENT_TO_HOST),
  says: 'pages move',
  cause: (value) => (value % 64 === EVICTION ? 'eviction' : 'fault'),
});
const THROTTLE = defineTracepoint('test:throttle', { value: '', means: EVENT_THROTTLED, says: 'a wait' });
const COHERENCE = 2;
const EVICTION = 4;
const toDevice = (cause: number): number => cause + 64;

test('what went both ways is told by region and by 2 MiB', () => {
  const events = new RunEvents();
  events.addRegion({ name: 'b', vpn: 4096, pages: 512 });
  events.addRegion({ name: 'a', vpn: 1024, pages: 1024 });
  const trace = new Trace();
  trace.emit(FAULT, 1, 0, 1030, 1, 1);
  trace.emit(MIGRATION, 2, 0, 1024, 16, toDevice(COHERENCE));
  trace.emit(MIGRATION, 3, 0, 1024, 16, EVICTION);
  trace.emit(THROTTLE, 4, 0, 1536, 1, 0);
  trace.emit(MIGRATION, 5, 0, 4096, 512, toDevice(COHERENCE));
  trace.emit(MIGRATION, 6, 0, 9000, 8, toDevice(COHERENCE));
  events.take(trace);
  const [a, b] = events.regions();
  expect(a).toMatchObject({
    gpuFaults: 1,
    pagesToDevice: 16,
    pagesToHost: 16,
    evictedPages: 16,
    throttled: 1,
  });
  expect(b).toMatchObject({ gpuFaults: 0, pagesToDevice: 512, pagesToHost: 0 });
  expect(events.pingPongs()).toEqual([
    { region: 'a', page: 0, pages: 512, pagesToDevice: 16, pagesToHost: 16, throttled: 0 },
  ]);
  expect(events.byCause.get('fault')).toEqual({ toDevice: 536, toHost: 0 });
});

test('columns that are drained piece by piece add up to the same', () => {
  const trace = new Trace();
  const pieces: number[] = [];
  trace.drain = (full) => pieces.push(full.length);
  const total = 300_000;
  for (let i = 0; i < total; i++) trace.emit(FAULT, i, 0, i, 1, 0);
  expect(pieces.length).toBeGreaterThan(1);
  expect(pieces.reduce((sum, n) => sum + n, 0) + trace.length).toBe(total);
  expect(trace.time.length).toBeLessThan(total);
});

const grid = {
  regions: [{ name: 'a', rows: 2 }],
  columns: 3,
  device: (row: number, column: number): number => (row === 0 && column > 0 ? 1 : 0),
  host: (row: number, column: number): number => (row === 1 && column > 0 ? 0.6 : 0),
};

test('a residency map is letters without colours', () => {
  const [name, first, second] = formatResidencyMap(grid, 'none').split('\n');
  expect([name, first, second]).toEqual(['a', '|.DD|', '|.hh|']);
});

test.each([
  ['24bit', '\u001b[38;2;230;138;0m'],
  ['256', '\u001b[38;5;'],
  ['16', '\u001b[33m'],
] as const)('a residency map with %s colours has two rows in a line', (depth, color) => {
  const lines = formatResidencyMap(grid, depth).split('\n');
  expect(lines).toHaveLength(3);
  expect(lines[1]).toContain('▀');
  expect(lines[1]).toContain(color);
});
