import type { ClientFactory } from '@hmm/device';
import { workloadScript } from '@hmm/machine';
import { formatTable } from '@hmm/report';
import { type ModelledWorkload, workloadAccesses, workloadPages } from '@hmm/workload/patterns';
import { type CommandBuilder, subcommand } from './cli.js';
import { jsonOption, wholeNumber } from './options.js';
import { EXIT_OK, fail } from './output.js';
import { playOnClient } from './play-run.js';
import { namedWorkloads } from './subject.js';

/** A policy of a driver, as a driver that has it. */
export interface PolicyChoice {
  readonly name: string;
  /** What it does, a clause. */
  readonly text: string;
  readonly factory: ClientFactory;
}

/** What a workload cost under one policy; what `policies --json` lists. */
export interface PolicyResult {
  readonly workload: string;
  readonly policy: string;
  readonly time_ns: number;
  readonly faults: number;
  readonly evicted_pages: number;
  readonly bytes_to_device: number;
}

/** Workloads that are compared where none is named have so many accesses at most, and so many pages at least. */
const MOST_ACCESSES = 100_000;
const FEWEST_PAGES = 2048;
const MIB_PAGES = 256;

/** `policies [WORKLOAD…]`: what a driver's policies make of workloads that do not fit the device. */
export function policiesCommand(policies: readonly PolicyChoice[]): CommandBuilder {
  return (parent, host, done) => {
    const cmd = jsonOption(
      subcommand(parent, host, 'policies', ['policies', 'policies --fit 100', 'policies --json']),
    )
      .description('compare eviction and prefetch policies on workloads, by time beside the first of them')
      .option('--fit <percent>', 'device memory, in percent of what a workload uses', wholeNumber, 50)
      .option('--gpu <preset>', 'GPU to run on', 'h100')
      .argument('[workloads...]', 'published workloads (the small ones without)');
    cmd.action((names: string[]) => {
      const { fit, gpu, json } = cmd.opts<{ fit: number; gpu: string; json: boolean }>();
      const known = namedWorkloads();
      const unknown = names.find((name) => !known.has(name));
      if (unknown !== undefined) {
        done(
          fail(host.output, `there is no workload ${unknown} (workloads: ${[...known.keys()].join(', ')})`),
        );
        return;
      }
      const chosen = [...known].filter(([name, make]) =>
        names.length > 0 ? names.includes(name) : isSmall(make()),
      );
      const results = chosen.flatMap(([name, make]) => compared(name, make(), policies, fit, gpu));
      host.output.data(
        json ? `${JSON.stringify({ version: 1, results })}\n` : formatPolicies(results, policies),
      );
      done(EXIT_OK);
    });
  };
}

function isSmall(workload: ModelledWorkload): boolean {
  return workloadAccesses(workload) <= MOST_ACCESSES && workloadPages(workload) >= FEWEST_PAGES;
}

function compared(
  name: string,
  workload: ModelledWorkload,
  policies: readonly PolicyChoice[],
  fit: number,
  gpu: string,
): PolicyResult[] {
  const pages = workloadPages(workload);
  const vram = Math.max(4, 2 * Math.floor((pages * fit) / 100 / (2 * MIB_PAGES)));
  const play = {
    name,
    accesses: workloadAccesses(workload),
    settings: new Map([['vram', String(vram)]]),
    cuda: true,
    notes: [],
    script: () => workloadScript(workload, 1),
  };
  return policies.flatMap(({ name: policy, factory }) => {
    const request = { play, memory: 'managed', hints: [], seed: 1, changed: [], watch: undefined } as const;
    const run = playOnClient(request, factory, gpu);
    if (!run.ok || run.report.error !== null) return [];
    const { time_ns, faults, evicted_pages, bytes_to_device } = run.report;
    return [{ workload: name, policy, time_ns, faults, evicted_pages, bytes_to_device }];
  });
}

/** A row a workload, a column a policy: its time beside that of the first. */
export function formatPolicies(results: readonly PolicyResult[], policies: readonly PolicyChoice[]): string {
  const columns = [
    { title: 'workload' },
    ...policies.map((_, i) => ({ title: String(i), align: 'right' as const })),
  ];
  const names = [...new Set(results.map(({ workload }) => workload))];
  const rows = names.map((workload) => {
    const own = results.filter((result) => result.workload === workload);
    const base = own[0]?.time_ns ?? NaN;
    const ratio = (name: string): string => {
      const found = own.find(({ policy }) => policy === name);
      return found === undefined ? '-' : (found.time_ns / base).toFixed(2);
    };
    return [workload.replace(/^.*:/, ''), ...policies.map(({ name }) => ratio(name))];
  });
  const legend = policies.map(({ name, text }, i) => `${i} ${name}: ${text}`);
  return `${formatTable(columns, rows)}\n\n${legend.join('\n')}\n`;
}
