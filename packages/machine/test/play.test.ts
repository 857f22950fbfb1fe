import {
  Machine,
  playScript,
  type PlayScript,
  ResidencyHistory,
  traceScript,
  workloadScript,
} from '@hmm/machine';
import { MirrorClient } from '@hmm/machine/contract';
import { multiKernel } from '@hmm/workload/patterns';
import { AccessBatch } from '@hmm/workload/readers';
import { fc } from '@hmm/config/property';
import { describe, expect, test } from 'vitest';

const CPU = 0;
const GPU = 1;
const READ = 1;
const WRITE = 2;

function stage(): { machine: Machine; client: MirrorClient } {
  const machine = new Machine();
  const client = new MirrorClient(machine.kernel);
  machine.addDevice('D0', client);
  return { machine, client };
}

/** A trace in batches of two rows. */
function trace(
  rows: readonly (readonly [page: number, kind: number, agent: number])[],
): () => AccessBatch | undefined {
  let at = 0;
  return () => {
    if (at >= rows.length) return undefined;
    const batch = new AccessBatch(2);
    for (const [page, kind, agent] of rows.slice(at, at + 2)) batch.push(page, 0, 1, kind, agent, 0, -1);
    at += 2;
    return batch;
  };
}

const FAR = 2 ** 40;
const ROWS = [
  [FAR + 5, WRITE, CPU],
  [7, WRITE, CPU],
  [FAR + 5, READ, GPU],
  [7, READ, GPU],
  [FAR + 5, WRITE, GPU],
  [7, READ, CPU],
] as const;
const RANGES = [
  { page: 7, pages: 1 },
  { page: FAR + 5, pages: 1 },
];

describe('a trace', () => {
  const script = (agents: 'recorded' | 'gpu' | 'cpu'): PlayScript =>
    traceScript({ name: 't', ranges: RANGES, agents, next: trace(ROWS) });

  test('is phases of neighbouring accesses of one agent', () => {
    const { machine } = stage();
    const { phases, problem } = playScript(machine, script('recorded'), { memory: 'malloc' });
    expect(problem).toBeUndefined();
    expect(phases.map(({ agent, accesses }) => [agent, accesses])).toEqual([
      ['cpu', 2],
      ['gpu', 3],
      ['cpu', 1],
    ]);
  });

  test('of several kernels is a phase for each, though one agent does everything', () => {
    const { machine } = stage();
    const next = trace(ROWS);
    let batches = 0;
    const counted = (): AccessBatch | undefined => {
      batches++;
      return next();
    };
    // Of three batches of two rows, the first two are of one kernel.
    const part = (): string => (batches < 3 ? 'kernel 1' : 'kernel 2');
    const kernels = traceScript({ name: 't', ranges: RANGES, agents: 'gpu', next: counted, part });
    const { phases } = playScript(machine, kernels, { memory: 'malloc' });
    expect(phases.map(({ name, agent, accesses }) => [name, agent, accesses])).toEqual([
      ['kernel 1', 'gpu', 4],
      ['kernel 2', 'gpu', 2],
    ]);
  });

  test.each(['gpu', 'cpu'] as const)('can be taken for accesses of the %s alone', (agent) => {
    const { machine } = stage();
    const { phases, accesses } = playScript(machine, script(agent), { memory: 'malloc' });
    expect(phases.map((phase) => phase.agent)).toEqual([agent]);
    expect(accesses).toBe(ROWS.length);
  });

  test('has a place of its own for each page, whatever span, count and order the trace has', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(20, 28, 35, 40),
        fc.constantFrom(1, 7, 300, 5000),
        fc.constantFrom(4, 6, 9),
        fc.nat(),
        (bits, count, order, seed) => {
          const unit = 2 ** order;
          const pages = Array.from({ length: count }, (_, i) => ((i + seed) * 2654435761) % 2 ** bits);
          const starting = new Set(pages.map((page) => page - (page % unit)));
          const ranges = [...starting].sort((a, b) => a - b).map((page) => ({ page, pages: unit }));
          const next = trace(pages.map((page) => [page, READ, GPU]));
          const script = traceScript({ name: 't', ranges, order, agents: 'gpu', next });
          const { regions } = script;
          expect(regions.length).toBeLessThanOrEqual(4096);
          let at = 0;
          const starts = Float64Array.from(regions, (region) => {
            const start = at;
            at += Math.ceil(region.pages / 512) * 512;
            return start;
          });
          const places = new Int32Array(count);
          for (const phase of script.phases(starts))
            expect(phase.fill(places, new Uint8Array(count))).toBe(count);
          expect(Array.from(places, (place) => place % unit)).toEqual(pages.map((page) => page % unit));
          expect(new Set(places).size).toBe(new Set(pages).size);
          expect(at).toBeLessThanOrEqual(count * unit + 512 * regions.length);
        },
      ),
      { seed: 5, numRuns: 60 },
    );
  });

  test('keeps the place of its pages within 2 MiB', () => {
    const { machine } = stage();
    playScript(machine, script('recorded'), { memory: 'malloc' });
    const regions = [...machine.regions.values()];
    expect(regions.map(({ name, pages }) => [name, pages])).toEqual([
      ['0x0', 8],
      [`0x${(FAR * 4096).toString(16)}`, 6],
    ]);
    expect(regions.every(({ vpn }) => vpn % 512 === 0)).toBe(true);
  });
});

test('a workload faults once a page on a mirror, whatever its number of accesses', () => {
  const { machine, client } = stage();
  const workload = multiKernel({ pages: 40, iterations: 3 });
  const { accesses, problem } = playScript(machine, workloadScript(workload, 1), { memory: 'malloc' });
  expect(problem).toBeUndefined();
  expect(accesses).toBe(workload.phases.reduce((sum, { pattern }) => sum + pattern.accesses, 0));
  expect(client.counters().faults).toBeGreaterThanOrEqual(80);
});

test('two plays of one seed are the same to the nanosecond', () => {
  const once = (): object => {
    const { machine, client } = stage();
    const result = playScript(machine, workloadScript(multiKernel({ pages: 30, iterations: 2 }), 7), {
      memory: 'malloc',
    });
    return { result, counters: client.counters(), now: machine.kernel.sched.now };
  };
  expect(once()).toEqual(once());
});

test('the residency history only looks', () => {
  const played = (watched: boolean): { ns: number; history: ResidencyHistory | undefined } => {
    const { machine } = stage();
    const history = watched ? new ResidencyHistory(machine) : undefined;
    const script = workloadScript(multiKernel({ pages: 600, iterations: 8 }), 1);
    const { timeNs } = playScript(machine, script, { memory: 'malloc' });
    history?.look();
    return { ns: timeNs, history };
  };
  const { ns, history } = played(true);
  expect(ns).toBe(played(false).ns);
  const regions = history?.regions() ?? [];
  expect(regions.map(({ region }) => region.name)).toEqual(['old', 'new']);
  expect(history?.times.length).toBeLessThanOrEqual(257);
  expect(regions.every(({ looks }) => looks.length === history?.times.length)).toBe(true);
  expect([...(regions[0]?.looks.at(-1) ?? [])].every((eighths) => eighths === 8 << 4)).toBe(true);
});

test('managed memory on a driver without it is misuse', () => {
  const { machine } = stage();
  const script = workloadScript(multiKernel({ pages: 4, iterations: 1 }), 1);
  expect(() => playScript(machine, script, { memory: 'managed' })).toThrow(/no managed memory/);
});
