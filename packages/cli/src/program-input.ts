import type { ClientFactory } from '@hmm/device';
import { formatSourceError, parseProgram, type ProgramFile } from '@hmm/workload';
import { evaluateNumber, type Scope } from '@hmm/workload/internal';
import type { RunRequest } from './client-run.js';
import { readInput } from './input.js';
import type { RunOptions } from './options.js';
import { KERNEL_SETTINGS } from '@hmm/kernel/internal';

/** A request, or the lines to show. */
export type RequestResult =
  | { readonly ok: true; readonly request: RunRequest }
  | { readonly ok: false; readonly messages: readonly string[] };

const EMPTY_SCOPE: Scope = { lookup: () => undefined, query: () => undefined };

/** Reads a program file and sorts `--set` into its parameters and the drivers' settings. */
export async function readProgram(
  path: string,
  options: RunOptions,
  factories: readonly ClientFactory[],
): Promise<RequestResult> {
  const input = await readInput(path);
  if (!input.ok) return { ok: false, messages: [input.message] };
  return requestOf(input.text, path, options, factories);
}

/** As {@link readProgram}, of a text. */
export function requestOf(
  text: string,
  file: string,
  options: RunOptions,
  factories: readonly ClientFactory[],
): RequestResult {
  if (text.trim() === '') return { ok: false, messages: [`${file}: this file is empty`] };
  const parsed = parseProgram(text, file);
  if (!parsed.ok) return { ok: false, messages: parsed.errors.map(formatSourceError) };
  const { program } = parsed;
  const messages: string[] = [];
  const parameters = new Map<string, number>();
  const settings = new Map<string, string>();
  const lets = parameterNames(program);
  const known = new Set([
    ...factories.flatMap((factory) => Object.keys(factory.settings)),
    ...Object.keys(KERNEL_SETTINGS),
  ]);
  for (const { key, value, place } of [...settingsOf(program, file), ...givenOf(options.set)]) {
    if (lets.has(key)) {
      const number = parameterValue(value);
      if (number === undefined) messages.push(`${place}${key}=${value}: a number is needed (16, 2MiB, 5ms)`);
      else parameters.set(key, number);
    } else if (known.has(key)) settings.set(key, value);
    else messages.push(place + unknownSetting(key, file, lets, known));
  }
  if (messages.length > 0) return { ok: false, messages };
  return { ok: true, request: { program, file, parameters, settings, seed: options.seed } };
}

/** The setting `key` of the program itself, which the command line overrides. */
export function fileSetting(program: ProgramFile, key: string): string | undefined {
  return program.settings.find((setting) => setting.key.text === key)?.value;
}

/** Something that is set, and how a message about it begins. */
interface Given {
  readonly key: string;
  readonly value: string;
  readonly place: string;
}

/** Settings of the file that are not about which client and GPU to take. */
function settingsOf(program: ProgramFile, file: string): Given[] {
  return program.settings
    .filter(({ key }) => key.text !== 'client' && key.text !== 'gpu')
    .map(({ key: { text, span }, value }) => ({
      key: text,
      value,
      place: `${file}:${span.line}:${span.column}: `,
    }));
}

const givenOf = (set: ReadonlyMap<string, string>): Given[] =>
  [...set].map(([key, value]) => ({ key, value, place: '--set: ' }));

/** The parameters of a program: what its `let`s at the top name. */
export function parameterNames(program: ProgramFile): ReadonlySet<string> {
  return new Set(program.body.flatMap((s) => (s.kind === 'let' ? [s.name.text] : [])));
}

/** The value of a number as the language writes them; undefined where the text is none. */
export function parameterValue(text: string): number | undefined {
  const parsed = parseProgram(`let x = ${text}`, '--set');
  const [statement] = parsed.ok ? parsed.program.body : [];
  if (statement?.kind !== 'let') return undefined;
  const value = evaluateNumber(statement.value, EMPTY_SCOPE);
  return typeof value === 'number' ? value : undefined;
}

function unknownSetting(
  key: string,
  file: string,
  lets: ReadonlySet<string>,
  known: ReadonlySet<string>,
): string {
  const parameters =
    lets.size === 0 ? `${file} has no parameters` : `parameters of ${file}: ${[...lets].join(', ')}`;
  const settings =
    known.size === 0 ? 'no settings of the driver' : `settings of the driver: ${[...known].join(', ')}`;
  return `there is nothing called ${key} to set (${parameters}; ${settings})`;
}
