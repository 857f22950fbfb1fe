import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { compileLitmus, type LitmusProgram, type MirrorDevicesFactory } from '@hmm/explore';
import { knownSettings, TEST_SETTINGS } from '@hmm/explore/internal';
import { HmmError, NEWEST_EXACT_RELEASE } from '@hmm/kernel';
import { formatSourceError, parseProgram, type ProgramFile } from '@hmm/workload';
import { fileReason, readInput } from '../input.js';
import { parameterNames, parameterValue } from '../program-input.js';

/** A litmus test that was read. */
export interface LitmusSource {
  readonly file: string;
  readonly text: string;
  /** The test, with what `--set` gave it. */
  readonly program: LitmusProgram;
  /** Of what `--set` gave, this test's own parameters and settings. */
  readonly set: GivenSettings;
}

/** What `--set` gave a test. */
export interface GivenSettings {
  readonly parameters: ReadonlyMap<string, number>;
  readonly settings: ReadonlyMap<string, string>;
}

/**
 * Reads the tests of files and directories; a list of texts says what is wrong, a line each.
 * @param set what `--set` gave: parameters of a test that has `let`s of that name, and settings. What none of the tests has is refused.
 */
export async function readLitmus(
  paths: readonly string[],
  set: ReadonlyMap<string, string>,
  devices: MirrorDevicesFactory,
): Promise<
  | { readonly ok: true; readonly sources: readonly LitmusSource[] }
  | { readonly ok: false; readonly messages: readonly string[] }
> {
  const sources: LitmusSource[] = [];
  for (const path of paths) {
    const files = await litmusFiles(path);
    if (typeof files === 'string') return { ok: false, messages: [files] };
    for (const file of files) {
      const input = await readInput(file);
      if (!input.ok) return { ok: false, messages: [input.message] };
      if (input.text.trim() === '') return { ok: false, messages: [`${file}: this file is empty`] };
      const parsed = parseProgram(input.text, file);
      if (!parsed.ok) return { ok: false, messages: parsed.errors.map(formatSourceError) };
      const parameters = parametersOf(parsed.program, set);
      if (typeof parameters === 'string') return { ok: false, messages: [parameters] };
      const compiled = compileLitmus(parsed.program, file, parameters);
      if (!compiled.ok) return { ok: false, messages: compiled.errors.map(formatSourceError) };
      const given = settingsFor(compiled.program, file, set, devices);
      if (typeof given === 'string') return { ok: false, messages: [given] };
      if (!compiled.program.settings.has('release') && !given.has('release'))
        given.set('release', NEWEST_EXACT_RELEASE);
      const settings = new Map([...compiled.program.settings, ...given]);
      const program = { ...compiled.program, settings };
      sources.push({ file, text: input.text, program, set: { parameters, settings: given } });
    }
  }
  const messages = [...set.keys()].flatMap((key) => unreadMessage(key, sources, devices));
  return messages.length > 0 ? { ok: false, messages } : { ok: true, sources };
}

/** A file itself, or the litmus tests in a directory, by name; a text is what is wrong with the path. */
async function litmusFiles(path: string): Promise<string[] | string> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const names = await readdir(path, { recursive: true });
    const files = names.filter((name) => name.endsWith('.litmus')).sort();
    return files.length === 0
      ? `${path}: no .litmus file is in there`
      : files.map((name) => join(path, name));
  } catch (error) {
    return `${path}: ${fileReason(error)}`;
  }
}

/** The parameters of a test that `--set` gives values; a text is what is wrong with one. */
function parametersOf(program: ProgramFile, set: ReadonlyMap<string, string>): Map<string, number> | string {
  const parameters = new Map<string, number>();
  for (const name of parameterNames(program)) {
    const text = set.get(name);
    if (text === undefined) continue;
    const value = parameterValue(text);
    if (value === undefined) return `--set ${name}=${text}: a number is needed (16, 2MiB, 5ms)`;
    parameters.set(name, value);
  }
  return parameters;
}

/** Of what `--set` gave, the settings that a test has; a release that the test itself is of stays. A text is what is wrong. */
function settingsFor(
  { settings }: LitmusProgram,
  file: string,
  set: ReadonlyMap<string, string>,
  devices: MirrorDevicesFactory,
): Map<string, string> | string {
  try {
    const known = knownSettings(new Map([...settings, ...set]), devices, TEST_SETTINGS);
    const own = (key: string): boolean =>
      known.includes(key) && !(key === 'release' && settings.has('release'));
    return new Map([...set].filter(([key]) => own(key)));
  } catch (error) {
    if (error instanceof HmmError) return `${file}: ${error.message}`;
    throw error;
  }
}

/** What to say of a key of `--set` that none of the tests has. */
function unreadMessage(
  key: string,
  sources: readonly LitmusSource[],
  devices: MirrorDevicesFactory,
): string[] {
  if (sources.some(({ program }) => program.values.has(key) || program.settings.has(key))) return [];
  const settings = sources[0]?.program.settings ?? new Map<string, string>();
  const known = knownSettings(settings, devices, TEST_SETTINGS).join(', ');
  return [`--set ${key}: no test has a parameter or a setting of that name (settings: ${known})`];
}
