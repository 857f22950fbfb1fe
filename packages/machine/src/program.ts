import type { Task } from '@hmm/kernel';
import { MAIN_PROCESS, type ProgramFile } from '@hmm/workload';
import { type Problem } from '@hmm/workload/internal';
import type { Machine } from './machine.js';
import {
  type FailedAssertion,
  ProgramContext,
  ProgramState,
  type StatementObserver,
} from './program-context.js';
import { runStatements, runThread } from './program-runner.js';

/** How a program ended. */
export interface ProgramRun {
  /** What its statements returned, by name (`x`) and by agent and name (`T0:x`). */
  readonly results: ReadonlyMap<string, readonly number[]>;
  /** Assertions that did not hold, in the order of time. */
  readonly failures: readonly FailedAssertion[];
  /** Why it could not go on to its end. */
  readonly problem: Problem | undefined;
  /** Virtual time that it took, ns. */
  readonly timeNs: number;
}

/**
 * A program set up in a machine, in the pieces that an explorer schedules by itself. Each task must be run in an agent.
 */
export interface PreparedProgram {
  /** The program, or the initial state of a litmus test. */
  readonly body: Task<Problem | undefined>;
  /** The columns of a litmus test, to be run at once after the body. */
  readonly threads: readonly { readonly name: string; readonly task: () => Task<Problem | undefined> }[];
  /** Runs alone after all of these. */
  final(): Task<Problem | undefined>;
  /** Where its condition is evaluated. */
  readonly context: ProgramContext;
}

/**
 * Sets `program` up in `machine`, which needs a device for each that the program names.
 * @param parameters values for its `let`s, by name.
 * @param observer is told of each statement.
 */
export function prepareProgram(
  machine: Machine,
  program: ProgramFile,
  parameters: ReadonlyMap<string, number> = new Map(),
  observer?: StatementObserver,
): PreparedProgram {
  const state = new ProgramState(machine, parameters, machine.deviceNames()[0] ?? '', observer);
  const before = machine.processes.get(MAIN_PROCESS);
  const main = before?.alive === true ? before : machine.spawnProcess(MAIN_PROCESS);
  const context = new ProgramContext(state, main, '', parameters);
  return {
    body: runStatements(context, program.body),
    threads: program.threads.map((thread) => ({
      name: thread.name.text,
      task: () => runThread(context, thread),
    })),
    final: () => runStatements(context, program.final),
    context,
  };
}

/** Runs a whole program in virtual time; the columns of a litmus test run at once, in one interleaving. */
export function runProgram(
  machine: Machine,
  program: ProgramFile,
  parameters: ReadonlyMap<string, number> = new Map(),
  observer?: StatementObserver,
): ProgramRun {
  const prepared = prepareProgram(machine, program, parameters, observer);
  const { state } = prepared.context;
  const { sched } = machine.kernel;
  const start = sched.now;
  let problem = machine.run('main', prepared.body);
  if (problem === undefined && prepared.threads.length > 0) {
    const columns = prepared.threads.map(({ name, task }) => sched.spawn(name, task()));
    sched.run();
    problem = columns.map((agent) => agent.result).find(isProblemValue);
  }
  problem ??= machine.run('final', prepared.final());
  return { results: state.results, failures: state.failures, problem, timeNs: sched.now - start };
}

function isProblemValue(value: unknown): value is Problem {
  return typeof value === 'object' && value !== null && 'message' in value;
}
