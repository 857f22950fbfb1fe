/** A source file of the real system and the names in it. */
export interface SymbolFile {
  /** `mm/hmm.c`, as the list has it. */
  readonly path: string;
  readonly functions: ReadonlySet<string>;
  /** Types, constants and variables. */
  readonly others: ReadonlySet<string>;
}

/** What one doc tag names. */
export interface SourceTag {
  /** `packages/mm/src/rmap.ts:12`. */
  readonly where: string;
  readonly system: TagSystem;
  readonly path: string;
  /** None: the file as a whole. */
  readonly symbols: readonly string[];
  /** What is left out, from `(partly: …)`. */
  readonly partly: string | undefined;
}

/** The systems that tags speak of: `@kernel`, `@nouveau`, `@uvm`. */
export type TagSystem = 'kernel' | 'nouveau' | 'uvm';

const TAG = /@(kernel|nouveau|uvm)[ \t]+(\S+)((?:(?!@(?:kernel|nouveau|uvm)\s)[^\n])*)/g;
const NAME = /^(?:(?:struct|enum|union) )?([A-Za-z_]\w*)(?:\(\))?(?=[\s,;.:)]|$)/;
const PARTLY = /\(partly: ([^)]*)\)/;

/** Reads a list of names. @throws Error naming the line that is not `path: functions | others`. */
export function parseSymbolList(text: string, file: string): SymbolFile[] {
  const files: SymbolFile[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const parts = /^(\S+):((?: \w+)*) \|((?: \w+)*)$/.exec(line);
    if (parts === null) throw new Error(`${file}:${index + 1}: expected "path: functions | others"`);
    const [, path = '', functions = '', others = ''] = parts;
    files.push({ path, functions: wordsOf(functions), others: wordsOf(others) });
  }
  return files;
}

function wordsOf(text: string): Set<string> {
  return new Set(text.split(' ').filter((word) => word !== ''));
}

/** The tags in the doc comments of a source file. */
export function sourceTags(source: string, file: string): SourceTag[] {
  const tags: SourceTag[] = [];
  for (const match of source.matchAll(TAG)) {
    const [, system = '', path = '', rest = ''] = match;
    const line = source.slice(0, match.index).split('\n').length;
    const comment = source.slice(match.index, source.indexOf('*/', match.index));
    tags.push({
      where: `${file}:${line}`,
      system: system === 'uvm' || system === 'nouveau' ? system : 'kernel',
      path: path.replace(/[,;:]$/, ''),
      symbols: symbolsOf(rest.replace(/\*\/.*$/, '')),
      partly: PARTLY.exec(comment.split(/\n[\s*]*@/)[0]?.replace(/\n\s*\* ?/g, ' ') ?? '')?.[1],
    });
  }
  return tags;
}

/** The names that follow a path: `a, b, c`, up to where prose begins. */
function symbolsOf(text: string): string[] {
  const symbols: string[] = [];
  let rest = text.trim();
  for (;;) {
    const name = NAME.exec(rest);
    // After a comma only another name counts, not a clause of a sentence.
    if (
      name === null ||
      (symbols.length > 0 && /^\w+ +\w/.test(rest) && !/_|^(?:struct|enum|union) /.test(rest))
    )
      break;
    symbols.push(name[1] ?? '');
    rest = rest.slice(name[0].length);
    if (!rest.startsWith(',')) break;
    rest = rest.slice(1).trim();
  }
  return symbols;
}

/** The listed files that a tag's path means: that very path, or the last parts of one. */
export function filesNamed(path: string, files: readonly SymbolFile[]): SymbolFile[] {
  return files.filter((file) => file.path === path || file.path.endsWith(`/${path}`));
}

/** What is wrong with `tag`, or undefined. */
export function tagComplaint(tag: SourceTag, files: readonly SymbolFile[]): string | undefined {
  const named = filesNamed(tag.path, files);
  if (named.length === 0) return `${tag.where}: @${tag.system}: no file ${tag.path} in the lists`;
  const unknown = tag.symbols.filter((symbol) => !named.some((file) => hasName(file, symbol)));
  if (unknown.length === 0) return undefined;
  return `${tag.where}: @${tag.system}: ${tag.path} has no ${unknown.map((name) => name + elsewhere(name, files)).join(', ')}`;
}

/** Whether a file has a name; a system call may be named without its `sys_`. */
function hasName({ functions, others }: SymbolFile, name: string): boolean {
  return functions.has(name) || others.has(name) || functions.has(`sys_${name}`);
}

/** Where else a name is, for who put the wrong file. */
function elsewhere(name: string, files: readonly SymbolFile[]): string {
  const homes = files.filter((file) => hasName(file, name)).map((file) => file.path);
  return homes.length > 0 ? ` (it is in ${homes.join(', ')})` : '';
}
