import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { compileLitmus, type LitmusProgram } from '@hmm/explore';
import { formatSourceError, parseProgram, type ProgramFile } from '@hmm/workload';
import { fileReason, readInput } from '../input.js';
import { parameterNames, parameterValue } from '../program-input.js';

/** A litmus test that was read. */
export interface LitmusSource {
  readonly file: string;
  readonly text: string;
  readonly program: LitmusProgram;
}

/**
 * Reads the tests of files and directories; a list of texts says what is wrong, a line each.
 * @param set what `--set` gave: parameters of a test that has `let`s of that name.
 */
export async function readLitmus(
  paths: readonly string[],
  set: ReadonlyMap<string, string>,
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
      const parsed = parseProgram(input.text, file);
      if (!parsed.ok) return { ok: false, messages: parsed.errors.map(formatSourceError) };
      const parameters = parametersOf(parsed.program, set);
      if (typeof parameters === 'string') return { ok: false, messages: [parameters] };
      const compiled = compileLitmus(parsed.program, file, parameters);
      if (!compiled.ok) return { ok: false, messages: compiled.errors.map(formatSourceError) };
      sources.push({ file, text: input.text, program: compiled.program });
    }
  }
  return { ok: true, sources };
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
