import type { Diagnosis } from '@hmm/report';
import type { ClientReport } from '@hmm/report';

/** One comparison of `--fail-on`. */
export interface FailCondition {
  readonly text: string;
  readonly name: string;
  readonly operator: string;
  readonly limit: number;
}

/** What a condition may speak of, and its unit. */
const FIGURES: Readonly<Record<string, (run: ClientReport, diagnosis: Diagnosis) => number>> = {
  thrash: (_, d) => d.thrash,
  slowdown: (_, d) => d.slowdown ?? 1,
  faults: (r) => r.faults,
  batches: (r) => r.batches,
  cpu_faults: (r) => r.cpu_faults,
  bytes_to_device: (r) => r.bytes_to_device,
  bytes_to_host: (r) => r.bytes_to_host,
  remote_accesses: (r) => r.remote_accesses,
  retries: (r) => r.retries,
  throttled: (r) => r.throttled,
  pinned: (r) => r.pinned,
  evicted_pages: (r) => r.evicted_pages,
  time: (r) => r.time_ns,
};

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  ns: 1,
  us: 1e3,
  ms: 1e6,
  s: 1e9,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
};

const COMPARE: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '=': (a, b) => a === b,
};

/** Reads `thrash>0.1`, or several with commas; or one line on what was expected. */
export function parseFailOn(text: string): readonly FailCondition[] | string {
  const found: FailCondition[] = [];
  for (const part of text.split(',').map((piece) => piece.trim())) {
    const [, name = '', operator = '', number = '', unit = ''] =
      /^(\w+)\s*(>=|<=|>|<|=)\s*(\d+(?:\.\d+)?)\s*(\w*)$/.exec(part) ?? [];
    const factor = UNITS[unit];
    if (!(name in FIGURES) || factor === undefined) {
      const names = Object.keys(FIGURES).join(', ');
      return `'${part}' is no condition: FIGURE > NUMBER is needed, as in thrash>0.1 or time<5ms (figures: ${names})`;
    }
    found.push({ text: part, name, operator, limit: Number(number) * factor });
  }
  return found;
}

/** The conditions that hold, with what was seen: each is a reason to fail. */
export function heldConditions(
  conditions: readonly FailCondition[],
  run: ClientReport,
  diagnosis: Diagnosis,
): string[] {
  return conditions.flatMap(({ text, name, operator, limit }) => {
    const value = FIGURES[name]?.(run, diagnosis) ?? 0;
    return COMPARE[operator]?.(value, limit) === true ? [`${text} holds: ${name} is ${value}`] : [];
  });
}
