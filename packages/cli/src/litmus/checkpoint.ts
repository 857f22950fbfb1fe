import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { SavedSearch } from '@hmm/explore';
import { HASH_SEED, hashWords } from '@hmm/kernel/internal';
import { fileReason } from '../input.js';

const VERSION = 3;

/** How far one test had got. */
interface Entry {
  /** Of the test and of the options that it was explored with. */
  readonly hash: number;
  readonly saved: SavedSearch;
}

/** What an interrupted exploration writes, and a later one goes on from: one JSON document. */
export class Checkpoint {
  private readonly path: string;
  private readonly entries = new Map<string, Entry>();

  /** @param path the file; it is written by {@link Checkpoint.write}. */
  constructor(path: string) {
    this.path = path;
  }

  /** Reads the file where there is one. @returns what is wrong with it. */
  read(): string | undefined {
    if (!existsSync(this.path)) return undefined;
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch (error) {
      return `${this.path}: ${fileReason(error)}`;
    }
    const tests = entriesOf(text);
    if (tests === undefined) return `${this.path}: this is no checkpoint of version ${VERSION}`;
    for (const [name, entry] of tests) this.entries.set(name, entry);
    return undefined;
  }

  /** The search of the test `name` with this text, undefined when there is none or the test has changed. */
  find(name: string, text: string): SavedSearch | undefined {
    const entry = this.entries.get(name);
    return entry?.hash === hashOf(text) ? entry.saved : undefined;
  }

  /** Keeps a search. */
  keep(name: string, text: string, saved: SavedSearch): void {
    this.entries.set(name, { hash: hashOf(text), saved });
  }

  /** Writes the file, whole or not at all. */
  write(): void {
    const partial = `${this.path}.partial`;
    writeFileSync(partial, JSON.stringify({ version: VERSION, tests: [...this.entries] }));
    renameSync(partial, this.path);
  }
}

function entriesOf(text: string): [string, Entry][] | undefined {
  try {
    const { version, tests } = JSON.parse(text) as { version?: number; tests?: [string, Entry][] };
    return version === VERSION && Array.isArray(tests) ? tests : undefined;
  } catch {
    return undefined;
  }
}

function hashOf(text: string): number {
  return hashWords(
    HASH_SEED,
    Array.from(text, (letter) => letter.charCodeAt(0)),
    0,
    text.length,
  );
}
