import { filesNamed, functionsIn, type SourceTag, type SymbolFile } from './symbols.js';

/** Why functions are left out: `mm/hmm.c hmm_vma_walk_hugetlb_entry: reason`; the pattern may hold `*`. */
export interface Omission {
  readonly path: string;
  readonly pattern: string;
  readonly reason: string;
}

/** What is modelled of one source file of the real system. */
export interface FileCoverage {
  readonly file: SymbolFile;
  /** Functions that are modelled whole. */
  readonly whole: readonly string[];
  /** Function → what is left out of it. */
  readonly reserved: ReadonlyMap<string, string>;
  /** Functions that no doc tag names. */
  readonly missing: readonly string[];
}

/** Share of a file's functions from which on the ones left out are listed one by one. */
const LISTED_FROM = 1 / 3;

/** Reads the reasons. @throws Error naming the line that is not `path pattern: reason`. */
export function parseOmissions(text: string, file: string): Omission[] {
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    const parts = /^(\S+) ([\w*]+): (.+)$/.exec(line);
    if (parts === null) throw new Error(`${file}:${index + 1}: expected "path pattern: reason"`);
    const [, path = '', pattern = '', reason = ''] = parts;
    return [{ path, pattern, reason }];
  });
}

/** Counts, for every listed file that some tag names, what is modelled of it. */
export function coverage(tags: readonly SourceTag[], files: readonly SymbolFile[]): FileCoverage[] {
  const named = new Map<SymbolFile, Map<string, Set<string>>>();
  for (const tag of tags) {
    for (const file of filesNamed(tag.path, files)) {
      const functions = named.get(file) ?? new Map<string, Set<string>>();
      for (const name of functionsIn(tag, file)) {
        const notes = functions.get(name) ?? new Set();
        functions.set(name, notes.add(tag.without ?? 'not said'));
      }
      named.set(file, functions);
    }
  }
  return [...named]
    .filter(([, functions]) => functions.size > 0)
    .map(([file, functions]) => fileCoverage(file, functions))
    .sort((a, b) => (a.file.path < b.file.path ? -1 : 1));
}

/** A function that several tags name lacks what each of them leaves out. */
function fileCoverage(file: SymbolFile, functions: ReadonlyMap<string, ReadonlySet<string>>): FileCoverage {
  const whole: string[] = [];
  const reserved = new Map<string, string>();
  for (const name of [...functions.keys()].sort()) {
    const without = [...(functions.get(name) ?? [])].filter((note) => note !== '').join('; ');
    if (without === '') whole.push(name);
    else reserved.set(name, without);
  }
  return {
    file,
    whole,
    reserved,
    missing: [...file.functions].filter((name) => !functions.has(name)).sort(),
  };
}

/** The coverage table as Markdown. */
export function coverageMarkdown(covered: readonly FileCoverage[], omissions: readonly Omission[]): string {
  const lines = [
    '# What is modelled',
    '',
    'Written by `pnpm symbols --write` from the doc tags of the sources; do not edit. Counted are functions: those that the',
    'model does whole, those of which it leaves something out (named below), and those that it does not have by name: they',
    'may still have their effect in one that it has. Files of which nothing is modelled are left out. What no function of the',
    'model has at all, and what is therefore not said of each: memory control groups, statistics and vmstat counters, tracing',
    'but for the tracepoints of the model, KASAN and other debugging, and architectures other than x86-64.',
    '',
    '| source file | whole | with reservations | not |',
    '| --- | --: | --: | --: |',
  ];
  for (const { file, whole, reserved, missing } of covered) {
    lines.push(`| \`${file.path}\` | ${whole.length} | ${reserved.size} | ${missing.length} |`);
  }
  for (const file of covered) lines.push(...fileSection(file, omissions));
  return `${lines.join('\n')}\n`;
}

/** Whether enough of a file is modelled for its other functions to be listed. */
function isListed({ file, missing }: FileCoverage): boolean {
  return missing.length <= file.functions.size * (1 - LISTED_FROM);
}

function fileSection(covered: FileCoverage, omissions: readonly Omission[]): string[] {
  const { file, whole, reserved } = covered;
  const missing = isListed(covered) ? covered.missing : [];
  const lines = ['', `## ${file.path}`, ''];
  if (whole.length > 0) lines.push(`Modelled whole: ${whole.map(code).join(', ')}.`);
  if (reserved.size === 0 && missing.length === 0) return lines;
  if (whole.length > 0) lines.push('');
  lines.push('| function | | what is left out, or why |', '| --- | --- | --- |');
  for (const [name, what] of reserved) lines.push(`| ${code(name)} | without | ${what} |`);
  for (const name of missing)
    lines.push(`| ${code(name)} | not | ${reasonFor(file.path, name, omissions)} |`);
  return lines;
}

function reasonFor(path: string, name: string, omissions: readonly Omission[]): string {
  const matching = omissions.find(
    (omission) =>
      path.endsWith(omission.path) && new RegExp(`^${omission.pattern.replaceAll('*', '.*')}$`).test(name),
  );
  return matching?.reason ?? '';
}

function code(name: string): string {
  return `\`${name}\``;
}
