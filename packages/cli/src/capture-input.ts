import { readInput } from './input.js';

/** What a text is wrong about. */
interface TextError {
  readonly ok: false;
  readonly line: number;
  readonly column?: number;
  readonly message: string;
}

/** How a driver model reads captures of the real driver, and durations of more runs. */
export interface CaptureReader<Run, Scenario extends { readonly name: string }, Times> {
  readonly parseCapture: (text: string) => { readonly ok: true; readonly runs: readonly Run[] } | TextError;
  readonly scenariosOf: (runs: readonly Run[]) => readonly Scenario[];
  readonly parseTimes: (text: string) => { readonly ok: true; readonly times: Times } | TextError;
}

/** The scenarios of captures, with durations where files of them were given; or one line on what is wrong. */
export type CaptureInput<Scenario, Times> =
  | { readonly ok: true; readonly scenarios: readonly Scenario[]; readonly times: readonly Times[] }
  | { readonly ok: false; readonly message: string };

/** Reads captures, and files of durations. Of the scenarios those whose name contains `only`. */
export async function readCaptures<Run, Scenario extends { readonly name: string }, Times>(
  reader: CaptureReader<Run, Scenario, Times>,
  files: readonly string[],
  timesFiles: readonly string[],
  only = '',
): Promise<CaptureInput<Scenario, Times>> {
  const runs: Run[] = [];
  for (const file of files) {
    const parsed = await readAs(file, reader.parseCapture);
    if (!parsed.ok) return parsed;
    runs.push(...parsed.runs);
  }
  const times: Times[] = [];
  for (const file of timesFiles) {
    const parsed = await readAs(file, reader.parseTimes);
    if (!parsed.ok) return parsed;
    times.push(parsed.times);
  }
  const scenarios = reader.scenariosOf(runs).filter(({ name }) => name.includes(only));
  if (scenarios.length > 0) return { ok: true, scenarios, times };
  const named = only === '' ? 'is in there' : `has ${only} in its name`;
  return { ok: false, message: `${files.join(', ')}: no scenario ${named}` };
}

/** Reads and parses a file; an error's message begins with file, line and column. */
async function readAs<T extends { readonly ok: true }>(
  file: string,
  parse: (text: string) => T | TextError,
): Promise<T | { readonly ok: false; readonly message: string }> {
  const input = await readInput(file);
  if (!input.ok) return input;
  const parsed = parse(input.text);
  if (parsed.ok) return parsed;
  const column = parsed.column === undefined ? '' : `:${parsed.column}`;
  return { ok: false, message: `${file}:${parsed.line}${column}: ${parsed.message}` };
}
