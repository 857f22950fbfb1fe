import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HmmError, type Release, RELEASES } from '@hmm/kernel';

/** A historical bug of the memory-management and driver code that HMM touches: one file of `patches/`. */
export interface Mutant {
  /** Its number in the catalogue: `B7`. */
  readonly id: string;
  /** What was wrong. */
  readonly title: string;
  /** The kernel's file and function that had it. */
  readonly kernel: string;
  /** The commit that mended it, the CVE, or the release. */
  readonly history: string;
  /** The modelled releases that it can be planted in, as its file says it: `all`, `6.19 on`, `up to 6.12`. */
  readonly releases: string;
  /** The same one by one, oldest first. */
  readonly on: readonly Release[];
  /** Litmus tests of the library, and scenarios, that break when it is planted; empty where it cannot be. */
  readonly tests: readonly string[];
  /** Why the model cannot express it; undefined where it can. */
  readonly reason: string | undefined;
  /** A sentence or two on what happened. */
  readonly note: string;
  /** The unified diff that plants it, with paths from the repository's root as `a/…` and `b/…`; empty where it cannot be. */
  readonly patch: string;
}

/** The folder of the catalogue, one file a bug. */
export const PATCHES = new URL('../patches/', import.meta.url);

/** `B` is a bug of HMM and its drivers, `OB` one of on-demand paging. */
const NUMBER = /^(O?)B(\d+)([a-z]?)$/;

/**
 * Reads the catalogue, in its order.
 * @throws HmmError `PATCH_HEADER` where a file lacks a line of its header.
 */
export function readCatalogue(folder: string): readonly Mutant[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.diff'))
    .map((name) => parseMutant(readFileSync(join(folder, name), 'utf8'), name))
    .sort((a, b) => order(a.id) - order(b.id));
}

/** B26, B26b, B26c, B27, and behind them all OB1. */
function order(id: string): number {
  const [, odp = '', number = '0', letter = ''] = NUMBER.exec(id) ?? [];
  return (odp === '' ? 0 : 2 ** 20) + Number(number) * 32 + (letter === '' ? 0 : letter.charCodeAt(0) - 96);
}

/** What a line `Releases` means. @throws HmmError `PATCH_HEADER` for one that names no modelled release. */
function releasesOf(text: string, name: string): readonly Release[] {
  if (text === 'all') return RELEASES;
  const [, upTo = '', from = ''] = /^(?:up to (\S+)|(\S+) on)$/.exec(text) ?? [];
  const at = RELEASES.findIndex((release) => release === (upTo === '' ? from : upTo));
  if (at < 0)
    throw new HmmError('PATCH_HEADER', `${name} is of the releases "${text}", which are not modelled`, {
      name,
    });
  return upTo === '' ? RELEASES.slice(at) : RELEASES.slice(0, at + 1);
}

/**
 * A file of the catalogue: `Key: value` lines, an empty line, a note, an empty line, the diff.
 * @throws HmmError `PATCH_HEADER`
 */
export function parseMutant(text: string, name: string): Mutant {
  const at = text.search(/^--- /m);
  const header = at < 0 ? text : text.slice(0, at);
  const blank = header.indexOf('\n\n');
  const fields = new Map(
    header
      .slice(0, blank)
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()] as const),
  );
  const field = (key: string): string => {
    const value = fields.get(key);
    if (value !== undefined && value !== '') return value;
    throw new HmmError('PATCH_HEADER', `${name} has no line "${key}: …"`, { name });
  };
  const id = field('Id');
  if (!NUMBER.test(id) || `${id}.diff` !== name)
    throw new HmmError('PATCH_HEADER', `${name} is not named by its id ${id}`, { name });
  const reason = fields.get('Inexpressible');
  if ((reason === undefined) !== at >= 0)
    throw new HmmError('PATCH_HEADER', `${name} needs either a diff or a line "Inexpressible: …"`, { name });
  return {
    id,
    title: field('Title'),
    kernel: field('Kernel'),
    history: field('History'),
    releases: field('Releases'),
    on: releasesOf(field('Releases'), name),
    tests: reason === undefined ? field('Caught-by').split(/,\s*/) : [],
    reason,
    note: header.slice(blank).trim(),
    patch: at < 0 ? '' : text.slice(at),
  };
}
