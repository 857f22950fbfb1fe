/** Which lane a tracepoint belongs to; the first rule that fits. */
const RULES: readonly (readonly [RegExp, string])[] = [
  [/^mmu_notifier:/, 'notifier (sequence odd)'],
  [/retry/i, 'retries'],
  [/replay|cancel/i, 'replay, cancel'],
  [/^uvm:CpuFault|page_fault/, 'CPU faults'],
  [/thrash|throttl/i, 'thrashing'],
  [/fault_batch/i, 'fault worker'],
  [/fault/i, 'GPU faults'],
  [/evict/i, 'eviction'],
  [/migrat|duplicate/i, 'migration (copy engine)'],
  [/pfnmap|map|pagesize/i, 'device page table'],
];

/** From top to bottom as a reader follows a fault; anything else comes after. */
const ORDER: readonly string[] = [
  'GPU',
  'GPU faults',
  'fault worker',
  'CPU faults',
  'migration (copy engine)',
  'eviction',
  'thrashing',
  'device page table',
  'notifier (sequence odd)',
  'retries',
  'replay, cancel',
];

/** The lane of an event of `kind`; a statement's and a lock's are told by the caller. */
export function laneOfKind(kind: string): string {
  return RULES.find(([pattern]) => pattern.test(kind))?.[1] ?? kind.replace(/:.*/, '');
}

/** The lane of a statement. */
export function laneOfStatement(side: 'cpu' | 'gpu', agent: string): string {
  return side === 'gpu' ? 'GPU' : `CPU ${agent}`;
}

/** Lanes in the order in which they are drawn: CPU threads, then {@link ORDER}, then the rest by name. */
export function sortLanes(names: Iterable<string>): string[] {
  const rank = (name: string): number => {
    if (name.startsWith('CPU ') && name !== 'CPU faults') return -1;
    const at = ORDER.indexOf(name);
    return at < 0 ? ORDER.length : at;
  };
  return [...new Set(names)].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

/** Whether events of `kind` are spans between a start and an end event, and which end. */
export function endKindOf(kind: string): string | undefined {
  return kind === 'mmu_notifier:invalidate_range_start' ? 'mmu_notifier:invalidate_range_end' : undefined;
}
