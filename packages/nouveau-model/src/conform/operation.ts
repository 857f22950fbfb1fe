import { PAGE_SIZE } from '@hmm/kernel';
import type { PageRange } from '@hmm/operations';
import { RecordedWords, regionPage } from '@hmm/operations/internal';
import type { DrmNouveauSvmBind } from '../nouveau-drm-uapi.js';
import { svmBindMigrate } from '../nouveau-drm-uapi.js';
import type { AccessItem, AccessType } from './fake-access.js';

/** What scripts do to nouveau and its fake GPU, below the calls that programs have for it. */
export type NouveauOperation =
  | { readonly name: 'exit' | 'nvkm' }
  | { readonly name: 'vram'; readonly chunks: number }
  | { readonly name: 'open'; readonly client: number; readonly hole: PageRange }
  | ClientOperation;

/** Those about a client that is open. */
export type ClientOperation =
  | { readonly name: 'close' | 'part' | 'join'; readonly client: number }
  | { readonly name: 'bind'; readonly client: number; readonly args: DrmNouveauSvmBind }
  | { readonly name: 'access'; readonly client: number; readonly items: readonly AccessItem[] }
  | { readonly name: 'dt'; readonly client: number; readonly range: PageRange };

/** The interval for buffer objects of a client that is opened without one. */
const DEFAULT_HOLE: PageRange = { vpn: regionPage(15, 0), pages: 16, region: undefined };

const TYPES: readonly AccessType[] = ['r', 'w', 'a', 'p'];

/**
 * Reads an operation as it stands in a recording, words separated by one space.
 * @returns undefined for one that is not nouveau's own.
 * @throws HmmError `OPERATION` for words that are none.
 */
export function nouveauOperation(text: string): NouveauOperation | undefined {
  const words: RecordedWords = new RecordedWords(text);
  const operation = operationOf(words.word(), words);
  if (operation !== undefined) words.end();
  return operation;
}

function operationOf(name: string, words: RecordedWords): NouveauOperation | undefined {
  switch (name) {
    case 'exit':
    case 'nvkm':
      return { name };
    case 'vram':
      return { name, chunks: words.number() };
    case 'open':
      return { name, client: words.number(), hole: words.more ? words.range() : DEFAULT_HOLE };
    case 'close':
    case 'part':
    case 'join':
      return { name, client: words.number() };
    case 'bind':
      return { name, client: words.number(), args: bindOf(words.range()) };
    case 'bindx':
      return { name: 'bind', client: words.number(), args: rawBind(words) };
    case 'acc':
      return { name: 'access', client: words.number(), items: accesses(words) };
    case 'batch':
      return { name: 'access', client: words.number(), items: batch(words) };
    case 'dt':
      return { name, client: words.number(), range: words.range() };
    default:
      return undefined;
  }
}

function bindOf({ vpn, pages }: PageRange): DrmNouveauSvmBind {
  return svmBindMigrate(vpn, pages);
}

/** `T R O N [VAL]`: pages one after the other, and values for stores. */
function accesses(words: RecordedWords): AccessItem[] {
  const type = words.oneOf(TYPES);
  const { vpn, pages } = words.range();
  const value = words.more ? words.number() : 0;
  return Array.from({ length: pages }, (_, i) => ({
    type,
    vpn: vpn + i,
    value: type === 'w' ? value + i : value,
  }));
}

/** `T:R:PAGE[:VAL] …` */
function batch(words: RecordedWords): AccessItem[] {
  const items: AccessItem[] = [];
  while (words.more) {
    const item: RecordedWords = new RecordedWords(words.word().replaceAll(':', ' '));
    const type = item.oneOf(TYPES);
    const vpn = item.page();
    items.push({ type, vpn, value: item.more ? item.number() : 0 });
    item.end();
  }
  return items;
}

/** `R BYTE LEN HEADER STRIDE RES0 RES1`. */
function rawBind(words: RecordedWords): DrmNouveauSvmBind {
  const vaStart = regionPage(words.number(), 0) * PAGE_SIZE + integer(words);
  const vaEnd = vaStart + integer(words);
  const header = integer(words);
  const stride = integer(words);
  const reserved0 = integer(words);
  const reserved1 = integer(words);
  return { header, vaStart, vaEnd, npages: 0, stride, result: 0, reserved0, reserved1 };
}

/** A whole number, which may be negative. */
function integer(words: RecordedWords): number {
  const word = words.word();
  if (word === '' || !Number.isInteger(Number(word))) words.fail(`"${word}" is not a number`);
  return Number(word);
}
