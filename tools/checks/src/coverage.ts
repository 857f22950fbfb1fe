import { filesNamed, type SourceTag, type SymbolFile } from './symbols.js';

/** Why functions are left out: `mm/hmm.c hmm_vma_walk_hugetlb_entry: reason`; the pattern may hold `*`. */
export interface Omission {
  readonly path: string;
  readonly pattern: string;
  readonly reason: string;
}

/** What is modelled of one source file of the real system. */
export interface FileCoverage {
  readonly file: SymbolFile;
  /** Functions that a doc tag names. */
  readonly modelled: readonly string[];
  /** Function → what is left out of it. */
  readonly partly: ReadonlyMap<string, string>;
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
  const named = new Map<SymbolFile, Map<string, string | undefined>>();
  for (const tag of tags) {
    for (const file of filesNamed(tag.path, files)) {
      const symbols = named.get(file) ?? new Map<string, string | undefined>();
      for (const symbol of tag.symbols) {
        const name = file.functions.has(`sys_${symbol}`) ? `sys_${symbol}` : symbol;
        if (file.functions.has(name)) symbols.set(name, tag.partly);
      }
      named.set(file, symbols);
    }
  }
  return [...named]
    .filter(([, symbols]) => symbols.size > 0)
    .map(([file, symbols]) => ({
      file,
      modelled: [...symbols.keys()].filter((name) => symbols.get(name) === undefined).sort(),
      partly: new Map(
        [...symbols].flatMap(([name, partly]) => (partly === undefined ? [] : [[name, partly] as const])),
      ),
      missing: [...file.functions].filter((name) => !symbols.has(name)).sort(),
    }))
    .sort((a, b) => (a.file.path < b.file.path ? -1 : 1));
}

/** The coverage table as Markdown. */
export function coverageMarkdown(covered: readonly FileCoverage[], omissions: readonly Omission[]): string {
  const lines = [
    '# What is modelled',
    '',
    'Written by `pnpm symbols --write` from the doc tags of the sources; do not edit. Counted are functions. A function',
    'that is not modelled by name may still have its effect in one that is. Files of which nothing is modelled are left out.',
    '',
    '| source file | modelled | partly | not |',
    '| --- | --: | --: | --: |',
  ];
  for (const { file, modelled, partly, missing } of covered) {
    lines.push(`| \`${file.path}\` | ${modelled.length} | ${partly.size} | ${missing.length} |`);
  }
  for (const file of covered.filter(isListed)) lines.push(...fileSection(file, omissions));
  return `${lines.join('\n')}\n`;
}

/** Whether enough of a file is modelled for its other functions to be listed. */
function isListed({ file, missing }: FileCoverage): boolean {
  return missing.length <= file.functions.size * (1 - LISTED_FROM);
}

function fileSection(
  { file, modelled, partly, missing }: FileCoverage,
  omissions: readonly Omission[],
): string[] {
  const lines = ['', `## ${file.path}`, ''];
  if (modelled.length > 0) lines.push(`Modelled: ${modelled.map(code).join(', ')}.`);
  if (partly.size === 0 && missing.length === 0) return lines;
  lines.push('', '| function | | why |', '| --- | --- | --- |');
  for (const [name, what] of partly) lines.push(`| ${code(name)} | partly | ${what} |`);
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
