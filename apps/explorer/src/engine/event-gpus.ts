import { type Trace, tracepoint } from '@hmm/kernel';
import type { MachineGpus } from './machine-gpus.js';
import type { StatementLog } from './statement-log.js';

/**
 * The GPU of each event of a machine with several: the one that its value names, else the one whose kernel or call its agent is in;
 * -1 where there is none. Undefined of a machine with one.
 */
export function gpusOfEvents(
  trace: Trace,
  { statements, agents }: StatementLog,
  { count }: MachineGpus,
): Int8Array | undefined {
  if (count < 2) return undefined;
  const calls = callsByAgent(agents);
  const gpus = new Int8Array(trace.length);
  for (let i = 0; i < trace.length; i++) {
    const named = tracepoint(trace.kind[i] ?? 0).gpu?.(trace.value[i] ?? 0);
    const own = calls.get(trace.agent[i] ?? 0);
    if (named !== undefined || own === undefined) {
      gpus[i] = named ?? -1;
      continue;
    }
    const time = trace.time[i] ?? 0;
    while ((statements[own.order[own.at + 1] ?? -1]?.from ?? Infinity) <= time) own.at++;
    gpus[i] = statements[own.order[own.at] ?? -1]?.gpu ?? -1;
  }
  return gpus;
}

/** The statements of each agent in the order in which they began, and the one that it is in. */
function callsByAgent(agents: readonly number[]): Map<number, { readonly order: number[]; at: number }> {
  const calls = new Map<number, { readonly order: number[]; at: number }>();
  for (const [statement, agent] of agents.entries()) {
    const own = calls.get(agent) ?? { order: [], at: 0 };
    calls.set(agent, own);
    own.order.push(statement);
  }
  return calls;
}
