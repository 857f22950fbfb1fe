import { ACCESS_READ, ACCESS_WRITE, AGENT_CPU } from './access-batch.js';
import type { TraceOutput } from './trace-output.js';

/** Bit of the x86 page-fault error code: the access was a write. */
export const X86_PF_WRITE = 2;

/** The head of one line of `perf script` or of the ftrace ring. */
export interface KernelEventLine {
  /** Thread id. */
  readonly tid: number;
  /** Time of the kernel's clock, ns. */
  readonly time: number;
  /** Event without its subsystem: `page_fault_user`, `page-faults`, … */
  readonly event: string;
  /** What follows the event's colon. */
  readonly fields: string;
}

/** Modes and reasons of `migrate:mm_migrate_pages`, as the kernel prints them. */
const MIGRATE_REASONS: readonly string[] = [
  'compaction',
  'memory_failure',
  'memory_hotplug',
  'syscall_or_cpuset',
  'mempolicy_mbind',
  'numa_misplaced',
  'contig_range',
  'longterm_pin',
  'demotion',
];

/** `secs.usecs` (6 or 9 digits behind the point) in ns, without going through a binary fraction. */
export function kernelTimeNs(seconds: string, fraction: string): number {
  return Number(seconds) * 1e9 + Number(fraction.slice(0, 9).padEnd(9, '0'));
}

/** Page and offset of hexadecimal text (no 0x) of up to 16 digits; undefined where it is none. */
export function hexTextAddress(text: string): { page: number; offset: number } | undefined {
  if (!/^[0-9a-f]{1,16}$/i.test(text)) return undefined;
  const digits = text.padStart(4, '0');
  return { page: parseInt(digits.slice(0, -3), 16), offset: parseInt(digits.slice(-3), 16) };
}

/** The value of field `name` in `name=VALUE …`, or undefined. */
function field(fields: string, name: string): string | undefined {
  const at = fields.startsWith(`${name}=`) ? 0 : fields.indexOf(` ${name}=`) + 1;
  if (at === 0 && !fields.startsWith(`${name}=`)) return undefined;
  const start = at + name.length + 1;
  let end = start;
  while (end < fields.length && fields[end] !== ' ' && fields[end] !== ',') end++;
  return fields.slice(start, end);
}

function count(fields: string, name: string): number {
  const value = Number(field(fields, name));
  return Number.isFinite(value) ? value : 0;
}

function pageFault(out: TraceOutput, line: KernelEventLine): void {
  const address = hexTextAddress((field(line.fields, 'address') ?? '').replace(/^0x/, ''));
  if (address === undefined) {
    out.malformed(
      'address=0x… (symbols are printed instead by some tools: ask for raw fields)',
      `'${line.fields.slice(0, 60)}'`,
    );
    return;
  }
  const code = Number(field(line.fields, 'error_code') ?? field(line.fields, 'cause') ?? 0);
  const flags = (code & X86_PF_WRITE) === 0 ? ACCESS_READ : ACCESS_WRITE;
  const { tid: thread, time } = line;
  out.event({ name: 'cpu_fault', time, agent: AGENT_CPU, thread, ...address, value: code, flags });
}

/** The software event `page-faults`: `ADDR [symbol] IP [symbol]` with -F addr, without an address by default. */
function softwareFault(out: TraceOutput, line: KernelEventLine): void {
  const address = hexTextAddress(/^[0-9a-f]+(?=\s)/i.exec(line.fields)?.[0] ?? '');
  const ipOnly = /^[0-9a-f]+ \S+\+0x[0-9a-f]+ \(/i.test(line.fields);
  if (address === undefined || ipOnly) {
    out.malformed(
      'the faulting address (record with -d, print with -F …,addr,ip,sym)',
      `'${line.fields.slice(0, 60)}'`,
    );
    return;
  }
  out.event({
    name: 'cpu_fault',
    time: line.time,
    agent: AGENT_CPU,
    thread: line.tid,
    ...address,
    flags: ACCESS_READ,
  });
}

function migratePages(
  out: TraceOutput,
  line: KernelEventLine,
  name: 'mm_migrate_pages' | 'mm_migrate_pages_start',
): void {
  const reason = field(line.fields, 'reason') ?? '';
  out.event({
    name,
    time: line.time,
    thread: line.tid,
    value: count(line.fields, 'nr_succeeded'),
    bytes: count(line.fields, 'nr_succeeded') * 4096,
    flags: MIGRATE_REASONS.indexOf(reason),
    label: reason,
  });
}

function migrationPte(
  out: TraceOutput,
  line: KernelEventLine,
  name: 'set_migration_pte' | 'remove_migration_pte',
): void {
  const address = hexTextAddress((field(line.fields, 'addr') ?? '').replace(/^0x/, ''));
  const order = Number(field(line.fields, 'order'));
  if (address === undefined || !Number.isInteger(order) || order < 0 || order > 18) {
    out.malformed('addr=HEX, pte=HEX order=N', `'${line.fields.slice(0, 60)}'`);
    return;
  }
  out.event({ name, time: line.time, thread: line.tid, ...address, bytes: 2 ** order * 4096, value: order });
}

/**
 * Hands on one kernel event as an observation; other events are counted and skipped. A page fault's `flags` is
 * `ACCESS_WRITE` or `ACCESS_READ`, its `value` the hardware's error code; where only the software event `page-faults` is
 * there, the kind of access is unknown and counts as a read.
 */
export function kernelEvent(out: TraceOutput, line: KernelEventLine): void {
  switch (line.event) {
    case 'page_fault_user':
    case 'page_fault_kernel':
      pageFault(out, line);
      return;
    case 'page-faults':
    case 'minor-faults':
    case 'major-faults':
      softwareFault(out, line);
      return;
    case 'mm_migrate_pages':
    case 'mm_migrate_pages_start':
      migratePages(out, line, line.event);
      return;
    case 'set_migration_pte':
    case 'remove_migration_pte':
      migrationPte(out, line, line.event);
      return;
    default:
      out.skip('other-event');
  }
}
