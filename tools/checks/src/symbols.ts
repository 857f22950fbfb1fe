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
  /** What the model leaves out, from `(without: …)`; empty for `(all)`, undefined where the tag does not say. */
  readonly without: string | undefined;
}

/** The systems that tags speak of: `@kernel`, `@nouveau`, `@uvm`. */
export type TagSystem = 'kernel' | 'nouveau' | 'uvm';

/** A tag of an older release, `@kernel 4.14 mm/hmm.c …`, names what the lists do not have: it is not looked up. */
const TAG = /@(kernel|nouveau|uvm)[ \t]+(?!\d+\.\d+ )(\S+)((?:(?!@(?:kernel|nouveau|uvm)\s)[^\n])*)/g;
const NAME = /^(?:(?:struct|enum|union) )?([A-Za-z_]\w*)(?:\(\))?(?=[\s,;.:)]|$)/;
const WITHOUT = /\((?:all|without: ([^)]*))\)/;

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
      without: reservation(comment.split(/\n[\s*]*@/)[0]?.replace(/\n\s*\* ?/g, ' ') ?? ''),
    });
  }
  return tags;
}

/** What is left out according to the text behind a tag. */
function reservation(text: string): string | undefined {
  const note = WITHOUT.exec(text);
  return note === null ? undefined : (note[1] ?? '').trim();
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

/** The functions that a tag names, as the lists spell them. */
export function functionsNamed(tag: SourceTag, files: readonly SymbolFile[]): string[] {
  return filesNamed(tag.path, files).flatMap((file) => functionsIn(tag, file));
}

/** The functions of one file that a tag names; a system call may be named without its `sys_`. */
export function functionsIn({ symbols }: SourceTag, { functions }: SymbolFile): string[] {
  return symbols
    .map((symbol) => (functions.has(`sys_${symbol}`) ? `sys_${symbol}` : symbol))
    .filter((name) => functions.has(name));
}

/** The complaint about a tag that names a function and does not say what of it is left out, or undefined. */
export function silenceComplaint(tag: SourceTag, files: readonly SymbolFile[]): string | undefined {
  if (tag.without !== undefined) return undefined;
  const names = functionsNamed(tag, files);
  if (names.length === 0) return undefined;
  return `${tag.where}: @${tag.system}: ${names.join(', ')}: say (all) or (without: …)`;
}

/** Whether a file has a name; a system call may be named without its `sys_`. */
function hasName({ functions, others }: SymbolFile, name: string): boolean {
  return functions.has(name) || others.has(name) || functions.has(`sys_${name}`);
}

/** Where else a name is, in case the file is wrong. */
function elsewhere(name: string, files: readonly SymbolFile[]): string {
  const homes = files.filter((file) => hasName(file, name)).map((file) => file.path);
  return homes.length > 0 ? ` (it is in ${homes.join(', ')})` : '';
}
