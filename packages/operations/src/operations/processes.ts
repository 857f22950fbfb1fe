import { errnoName } from '@hmm/kernel';
import { mmCreate } from '@hmm/mm';
import { operation } from '../definition.js';
import { DONE, failedBecause } from '../outcome.js';
import { processName } from '../parts/ranges.js';
import { exitProcess, forkProcess } from '../process.js';
import { line } from '../recorded/line.js';
import { SHOWS_NOTHING } from '../recorded/shown.js';

/** `process p`: a process with an empty address space starts. */
export const startProcess = operation({
  kind: 'process',
  summary: 'Starts a process with an empty address space.',
  parts: [processName(true)],
  results: false,
  side: 'cpu',
  *run(context, { child }) {
    context.adopt(child, mmCreate(context.process.mm.system));
    return DONE;
  },
  returns: 'errno',
  recorded: [],
});

/** `fork child`: the process forks. */
export const fork = operation({
  kind: 'fork',
  summary: 'Forks the process.',
  parts: [processName(true)],
  results: false,
  side: 'cpu',
  *run(context, { child }) {
    const mm = yield* forkProcess(context.process);
    if (typeof mm === 'number') return failedBecause(mm, `fork failed: -${errnoName(mm)}`);
    context.adopt(child, mm);
    return DONE;
  },
  returns: 'errno',
  recorded: [line('fork', [], { child: 'child' }, SHOWS_NOTHING, 'scripts')],
});

/** `wait child`: the child ends, and is waited for. */
export const wait = operation({
  kind: 'wait',
  summary: 'Has a child end, and waits for it.',
  parts: [processName(false)],
  results: false,
  side: 'cpu',
  *run(context, { child }) {
    const process = context.processOf(child);
    if (process !== undefined) yield* exitProcess(process);
    return DONE;
  },
  returns: 'errno',
  recorded: [line('wait', [], { child: 'child' }, SHOWS_NOTHING, 'scripts')],
});

/** The operations of this file. */
export const PROCESS_OPERATIONS = [startProcess, fork, wait] as const;
