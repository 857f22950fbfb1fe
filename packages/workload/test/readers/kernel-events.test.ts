import { describe, expect, it } from 'vitest';
import {
  ACCESS_READ,
  ACCESS_WRITE,
  AGENT_CPU,
  faultsAsAccesses,
  TraceReader,
} from '../../src/readers/index.js';
import { bytesOf, collect, collector, fixture } from './collect.js';

const strideArea = (page: number): boolean => page >= 0x403 && page < 0x403 + 65;

describe('perf script', () => {
  it('of page_fault_user on the stride program: a write fault on each page, in order', () => {
    const { events, result } = collect(fixture('stride-exceptions.perf.txt'));
    expect(result.summary.format).toBe('perf-script');
    const area = events.filter(({ page }) => strideArea(page));
    expect(area.map(({ page }) => page - 0x403)).toEqual(Array.from({ length: 64 }, (_, i) => i));
    expect(
      area.every(({ flags, value, name }) => flags === ACCESS_WRITE && value === 6 && name === 'cpu_fault'),
    ).toBe(true);
    expect(new Set(events.map(({ thread }) => thread)).size).toBe(1);
    const times = events.map(({ time }) => time);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  it('of the software event with -d and -F …,addr: the same pages', () => {
    const { events } = collect(fixture('stride-page-faults.perf.txt'));
    const area = events.filter(({ page }) => strideArea(page));
    expect(area.map(({ page }) => page - 0x403)).toEqual(Array.from({ length: 64 }, (_, i) => i));
  });

  it('without addresses says how to record them', () => {
    const text =
      '   touch 10754   988.258580:          1 page-faults:  ffffffff8177539a elf_load+0x28a ([kernel.kallsyms])\n';
    const { result } = collect(bytesOf(text));
    expect(result).toMatchObject({ ok: false, error: { code: 'CORRUPT', line: 1 } });
    if (!result.ok) expect(result.error.expected).toContain('record with -d');
  });

  it('reads comms with spaces and dashes, and migrate events', () => {
    const text = [
      'Web Content-1 [x] 4321/4322 [003] 12.000001: migrate:set_migration_pte: addr=7f0000001000, pte=3e00000000000123 order=9',
      'kcompactd0    55 [001]   12.000002: migrate:mm_migrate_pages: nr_succeeded=31 nr_failed=1 nr_thp_succeeded=0 nr_thp_failed=0 nr_thp_split=0 nr_split=0 mode=MIGRATE_SYNC reason=compaction',
      'a  7 [001] 12.000003000: exceptions:page_fault_user: address=0x7f0000002010 ip=0x401000 error_code=0x4',
      '           401000 main+0x1 (/bin/a)',
      'a  7 [001] 12.000004: page-faults:u:     7f0000003000 [unknown]     401000 main',
      'a  7 [001] 12.000005: sched:sched_switch: prev_comm=a',
    ].join('\n');
    const { events, result } = collect(bytesOf(text));
    expect(events.map(({ name, page, time, thread }) => [name, page, time, thread])).toEqual([
      ['set_migration_pte', 0x7f0000001, 12_000_001_000, 4322],
      ['mm_migrate_pages', -1, 12_000_002_000, 55],
      ['cpu_fault', 0x7f0000002, 12_000_003_000, 7],
      ['cpu_fault', 0x7f0000003, 12_000_004_000, 7],
    ]);
    expect(events[0]).toMatchObject({ bytes: 2 * 2 ** 20, value: 9 });
    expect(events[1]).toMatchObject({ value: 31, label: 'compaction', flags: 0 });
    expect(events[2]).toMatchObject({ flags: ACCESS_READ, offset: 0x10 });
    expect(result.summary.skipped).toEqual({ comment: 1, 'other-event': 1 });
  });
});

describe('ftrace', () => {
  it('of page_fault_user on the stride program: the same pages as perf shows', () => {
    const { events, result } = collect(fixture('stride.ftrace.txt'));
    expect(result.summary.format).toBe('ftrace');
    const area = events.filter(({ page }) => strideArea(page));
    expect(area.map(({ page }) => page - 0x403)).toEqual(Array.from({ length: 64 }, (_, i) => i));
    expect(area.every(({ flags }) => flags === ACCESS_WRITE)).toBe(true);
  });

  it('reads tgids, odd comms and trace-cmd report, and counts lost events', () => {
    const text = [
      '# tracer: nop',
      '     Web Content-1-4322 (   4321) [003] d..1.  12.000001: remove_migration_pte: addr=7f0000001000, pte=8000000000000067 order=0',
      '          a-b-7      [001]  12.000002: page_fault_user:      address=0x7f0000002010 ip=0x401000 error_code=0x7',
      'CPU:2 [LOST 120 EVENTS]',
    ].join('\n');
    const { events, result } = collect(bytesOf(text));
    expect(events.map(({ name, page, thread }) => [name, page, thread])).toEqual([
      ['remove_migration_pte', 0x7f0000001, 4322],
      ['cpu_fault', 0x7f0000002, 7],
    ]);
    expect(result.summary.skipped).toEqual({ comment: 1, lost: 120 });
  });

  it('drives a model through its faults', () => {
    const { sink, accesses } = collector();
    const reader = new TraceReader(faultsAsAccesses((batch) => sink.accesses?.(batch)));
    reader.push(fixture('stride.ftrace.txt'));
    const { summary } = reader.end();
    expect(accesses).toHaveLength(summary.events);
    expect(accesses.filter(({ page }) => strideArea(page))).toHaveLength(64);
    expect(accesses.every(({ agent, size }) => agent === AGENT_CPU && size === 1)).toBe(true);
  });
});
