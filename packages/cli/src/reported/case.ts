import { basename, extname } from 'node:path';
import { formatSourceError, parseProgram, type ProgramFile } from '@hmm/workload';

/** A problem that people reported, as a program or a litmus test whose assertions say what must be seen. */
export interface ReportCase {
  /** The mechanism: the name of the file. */
  readonly name: string;
  readonly path: string;
  readonly text: string;
  readonly program: ProgramFile;
  /** Where it was reported. */
  readonly links: readonly string[];
  /** What people see, a sentence. */
  readonly seen: string;
  /** What helps, an imperative clause; undefined where there is nothing that a program can do. */
  readonly advice: string | undefined;
  /** The historical bug that is the mechanism, by its number in the catalogue of those that can be planted; undefined where none is. */
  readonly planted: string | undefined;
}

/** The parameter of a program that has what helps: 0 without, 1 with it. */
export const ADVISED = 'advised';

/**
 * Reads a report: a program or a litmus test whose first comments are `# Report: LINK`, as many as there are, `# What people see:
 * SENTENCE` and, where the program has a parameter `advised`, `# Advice: CLAUSE`. A list of lines says what is wrong.
 */
export function readReport(text: string, path: string): ReportCase | readonly string[] {
  const parsed = parseProgram(text, path);
  if (!parsed.ok) return parsed.errors.map(formatSourceError);
  const { program } = parsed;
  const name = basename(path, extname(path));
  const links = headings(text, 'Report');
  const [seen] = headings(text, 'What people see');
  const [advice] = headings(text, 'Advice');
  const [planted] = headings(text, 'Planted as');
  const advised = program.body.some((s) => s.kind === 'let' && s.name.text === ADVISED);
  const wrong: string[] = [];
  if (program.name !== name) wrong.push(`${path}: the file is called otherwise than ${program.name}`);
  if (links.length === 0) wrong.push(`${path}: '# Report: LINK' is missing`);
  if (seen === undefined) wrong.push(`${path}: '# What people see: SENTENCE' is missing`);
  if (advised !== (advice !== undefined))
    wrong.push(`${path}: '# Advice: CLAUSE' and a parameter '${ADVISED}' belong together`);
  if (wrong.length > 0 || seen === undefined) return wrong;
  return { name, path, text, program, links, seen, advice, planted };
}

function headings(text: string, heading: string): string[] {
  const begin = `# ${heading}: `;
  return text.split('\n').flatMap((line) => (line.startsWith(begin) ? [line.slice(begin.length)] : []));
}
