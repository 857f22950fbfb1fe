import { findGpuPreset } from '@hmm/gpu';
import type { Kernel, Agent } from '@hmm/kernel';
import type { LockHold, Timeline } from '@hmm/report';
import { makeTimeline, withResidency } from '@hmm/report';
import type { DiagnosedRun } from './diagnosed-run.js';

/** Holds kept at most. */
const MOST_HOLDS = 500_000;

/** Notes who held which lock when; holds that took no virtual time delayed nobody and are left out. */
export class LockRecorder {
  readonly holds: LockHold[] = [];
  private readonly since = new Map<string, number[]>();
  private readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    const { lockdep } = kernel.sched;
    lockdep.enabled = true;
    lockdep.listener = (agent, lock, taken) => {
      this.note(agent, lock, taken);
    };
  }

  private note(agent: Agent, lock: number, taken: boolean): void {
    const { now, lockdep } = this.kernel.sched;
    const key = `${agent.id} ${lock}`;
    const times = this.since.get(key) ?? [];
    this.since.set(key, times);
    if (taken) {
      times.push(now);
      return;
    }
    const start = times.pop();
    if (start === undefined || start === now || this.holds.length >= MOST_HOLDS) return;
    this.holds.push({ lock: lockdep.className(lock), agent: agent.name, start, end: now });
  }
}

/** Names of the agents of a run, by id. */
export function agentNames(kernel: Kernel): string[] {
  return kernel.sched.agents.map(({ name }) => name);
}

/** The timeline of a run whose events were kept. */
export function timelineOf(
  run: Extract<DiagnosedRun, { ok: true }>,
  title: string,
  locks: readonly LockHold[],
): Timeline {
  const { kernel } = run.machine;
  const link = findGpuPreset(run.client.gpu)?.link;
  const way = (base = 0, gbs = Infinity): { baseNs: number; gbs: number } => ({ baseNs: base, gbs });
  const timeline = makeTimeline({
    title,
    trace: kernel.trace,
    agents: agentNames(kernel),
    link: {
      toDevice: way(link?.toDeviceBase.value, link?.toDeviceGBs.value),
      toHost: way(link?.toHostBase.value, link?.toHostGBs.value),
    },
    locks,
  });
  const regions = run.history
    .regions()
    .map(({ region, rows, looks }) => ({ name: region.name, rows, looks }));
  return withResidency(timeline, run.history.times, regions);
}
