import type { PlayHint } from '@hmm/machine';
import { MEMORY_KINDS } from '@hmm/operations/internal';
import { formatProgram, formatSourceError, parseProgram } from '@hmm/workload';
import type { RunRequest } from './client-run.js';

/** A statement that makes a region, and its name. */
const ALLOCATION = new RegExp(`^(\\s*)(?:${MEMORY_KINDS.join('|')}) (\\w+) `);
/** A statement that has the GPU do something. */
const LAUNCH = /^(\s*)gpu /;

/**
 * The request with hints written into its program: advice after the allocation of its region, a prefetch before each GPU access.
 * One line where that makes no program.
 */
export function hintedProgram(request: RunRequest, hints: readonly PlayHint[]): RunRequest | string {
  if (hints.length === 0) return request;
  const made = new Set<string>();
  const lines = formatProgram(request.program)
    .split('\n')
    .flatMap((line) => {
      const [, indent = '', name] = ALLOCATION.exec(line) ?? [];
      if (name !== undefined) {
        made.add(name);
        return [line, ...adviceOn(name, hints).map((text) => indent + text)];
      }
      const launch = LAUNCH.exec(line);
      if (launch === null) return [line];
      const moves = hints.filter((hint) => hint.kind === 'prefetch' && made.has(hint.region));
      return [...moves.map(({ region }) => `${launch[1] ?? ''}prefetch ${region} to gpu`), line];
    });
  const parsed = parseProgram(lines.join('\n'), request.file);
  if (!parsed.ok) return parsed.errors.map(formatSourceError).join('; ');
  return { ...request, program: parsed.program };
}

function adviceOn(name: string, hints: readonly PlayHint[]): string[] {
  return hints.flatMap((hint) =>
    hint.kind === 'advise' && hint.region === name ? [`advise ${name} ${hint.advice} ${hint.place}`] : [],
  );
}
