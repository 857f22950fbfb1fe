import { errnoName } from '@hmm/kernel';
import { runProgram } from '@hmm/machine';
import { checkProgram, DEFAULT_DEVICE, parseProgram, type ProgramFile } from '@hmm/workload';
import { chosenClient, type ClientChoice } from './clients.js';
import { type FinishedSimulation, simulationOf, type StoppedSimulation, watchedMachine } from './finished.js';
import { type Refusal, refusedFor } from './problem.js';

/** How a program is simulated. */
export interface SimulateOptions extends ClientChoice {
  /** Values for the program's parameters: what its `let` statements at the top name. */
  readonly parameters?: Readonly<Record<string, number>>;
  /** Name of its file, for messages. Default: `program`. */
  readonly file?: string;
}

/** What became of a program: `outcome` tells them apart. */
export type Simulation = FinishedSimulation | StoppedSimulation | Refusal;

/**
 * Runs a program of the model's language (`@hmm/workload` describes it) under one driver on one GPU, on a machine of its own in
 * virtual time. Runs to its end before it returns: what takes long belongs into a worker.
 */
export function simulate(program: string, options: SimulateOptions = {}): Simulation {
  const { file = 'program', parameters = {} } = options;
  const parsed = parseProgram(program, file);
  if (!parsed.ok) return refusedFor(parsed.errors);
  const errors = checkProgram(parsed.program, file);
  if (errors.length > 0) return refusedFor(errors);
  const own = new Map(parsed.program.settings.map(({ key, value }) => [key.text, value]));
  const choice = withDefault(options, own.get('client'));
  const chosen = chosenClient(choice, own);
  if (chosen.outcome === 'refused') return chosen;
  const watched = watchedMachine(chosen, deviceNames(parsed.program));
  if (watched.outcome === 'refused') return watched;
  const capability = watched.client.capability();
  if (!capability.ok) {
    const error = `${capability.reason} (-${errnoName(capability.errno)})`;
    return simulationOf(watched, { results: new Map(), timeNs: 0, error, failed: [] });
  }
  const run = runProgram(watched.machine, parsed.program, new Map(Object.entries(parameters)));
  const at = ({ line, column }: { line: number; column: number }, what: string): string =>
    `${file}:${line}:${column}: ${what}`;
  return simulationOf(watched, {
    ...run,
    error: run.problem === undefined ? null : at(run.problem.span, run.problem.message),
    failed: run.failures.map(({ span, seen }) => at(span, seen)),
  });
}

/** The program's own driver where the caller names none. */
function withDefault(options: ClientChoice, client: string | undefined): ClientChoice {
  return options.client !== undefined || client === undefined ? options : { ...options, client };
}

function deviceNames({ devices }: ProgramFile): string[] {
  return devices.length === 0 ? [DEFAULT_DEVICE] : devices.map(({ name }) => name.text);
}
