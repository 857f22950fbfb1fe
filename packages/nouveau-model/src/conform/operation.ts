import {
  isCount,
  MEMORY_GRAMMAR,
  memoryOperation,
  type MemoryOperation,
  pageOf,
  parseWords,
  type RegionRange,
  type WordGrammar,
} from '@hmm/conform';
import { PAGE_SIZE } from '@hmm/kernel';
import type { DrmNouveauSvmBind } from '../nouveau-drm-uapi.js';
import { svmBindMigrate } from '../nouveau-drm-uapi.js';
import type { AccessItem, AccessType } from './fake-access.js';

/** One operation of a recorded script of nouveau. */
export type Operation =
  | { readonly name: 'memory'; readonly operation: MemoryOperation }
  | { readonly name: 'fork' | 'wait' | 'exit' | 'nvkm' }
  | { readonly name: 'vram'; readonly chunks: number }
  | { readonly name: 'open'; readonly client: number; readonly hole: RegionRange }
  | { readonly name: 'close' | 'part' | 'join'; readonly client: number }
  | { readonly name: 'bind'; readonly client: number; readonly args: DrmNouveauSvmBind }
  | { readonly name: 'access'; readonly client: number; readonly items: readonly AccessItem[] }
  | ({ readonly name: 'dt'; readonly client: number } & RegionRange);

/** The interval for buffer objects of a client that is opened without one. */
const DEFAULT_HOLE: RegionRange = { region: 15, offset: 0, pages: 16 };

const TYPES: readonly AccessType[] = ['r', 'w', 'a', 'p'];

const GRAMMAR: WordGrammar = {
  ...MEMORY_GRAMMAR,
  fork: [],
  wait: [],
  exit: [],
  nvkm: [],
  vram: ['n'],
  close: ['n'],
  part: ['n'],
  join: ['n'],
  bind: ['n', 'n', 'n', 'n'],
  dt: ['n', 'n', 'n', 'n'],
};

/**
 * Reads an operation as it stands in a recording, words separated by one space.
 * @returns the operation, or what is wrong with it, for people.
 */
export function parseOperation(text: string): Operation | string {
  const space = text.indexOf(' ');
  switch (space < 0 ? text : text.slice(0, space)) {
    case 'open':
      return parseOpen(text);
    case 'acc':
      return parseAccesses(text);
    case 'batch':
      return parseBatch(text);
    case 'bindx':
      return parseBindRaw(text);
    default:
      return parsePlain(text);
  }
}

function parsePlain(text: string): Operation | string {
  const parsed = parseWords(text, GRAMMAR);
  if (typeof parsed === 'string') return parsed;
  const operation = memoryOperation(parsed);
  if (operation !== undefined) return { name: 'memory', operation };
  const { name, words } = parsed;
  const [client = 0, region = 0, offset = 0, pages = 0] = words.map(Number);
  switch (name) {
    case 'vram':
      return { name, chunks: client };
    case 'close':
    case 'part':
    case 'join':
      return { name, client };
    case 'bind':
      return { name, client, args: svmBindMigrate(pageOf({ region, offset }), pages) };
    case 'dt':
      return { name, client, region, offset, pages };
    case 'fork':
    case 'wait':
    case 'exit':
    case 'nvkm':
      return { name };
    default:
      return `unknown operation "${name}"`;
  }
}

function parseOpen(text: string): Operation | string {
  const parsed = parseWords(text, { open: text.split(' ').length > 2 ? ['n', 'n', 'n', 'n'] : ['n'] });
  if (typeof parsed === 'string') return parsed;
  const [client = 0, region, offset = 0, pages = 0] = parsed.words.map(Number);
  return { name: 'open', client, hole: region === undefined ? DEFAULT_HOLE : { region, offset, pages } };
}

function parseAccesses(text: string): Operation | string {
  const counts = text.split(' ').length > 6 ? ['n', 'n', 'n', 'n'] : ['n', 'n', 'n'];
  const parsed = parseWords(text, { acc: ['n', TYPES, ...counts] });
  if (typeof parsed === 'string') return parsed;
  const [client = 0, , region = 0, offset = 0, pages = 0, value = 0] = parsed.words.map(Number);
  const type = typeOf(parsed.words[1]);
  const first = pageOf({ region, offset });
  const items = Array.from({ length: pages }, (_, i) => ({
    type,
    vpn: first + i,
    value: type === 'w' ? value + i : value,
  }));
  return { name: 'access', client, items };
}

function parseBatch(text: string): Operation | string {
  const [, client = '', ...words] = text.split(' ');
  if (!isCount(client)) return `"${client}" is not a number`;
  const items: AccessItem[] = [];
  for (const word of words) {
    const [type, ...numbers] = word.split(':');
    const [region = 0, offset = 0, value = 0] = numbers.map(Number);
    const known = TYPES.some((letter) => letter === type);
    if (!known || numbers.length < 2 || numbers.length > 3 || !numbers.every(isCount))
      return `"${word}" is no access`;
    items.push({ type: typeOf(type), vpn: pageOf({ region, offset }), value });
  }
  return { name: 'access', client: Number(client), items };
}

function parseBindRaw(text: string): Operation | string {
  const words = text.split(' ').slice(1);
  const numbers = words.map(Number);
  if (words.length !== 8 || numbers.some((number) => !Number.isInteger(number)))
    return `"bindx" takes 8 numbers, not "${words.join(' ')}"`;
  const [client = 0, region = 0, byte = 0, length = 0, header = 0, stride = 0, reserved0 = 0, reserved1 = 0] =
    numbers;
  const vaStart = pageOf({ region, offset: 0 }) * PAGE_SIZE + byte;
  const args = {
    header,
    vaStart,
    vaEnd: vaStart + length,
    npages: 0,
    stride,
    result: 0,
    reserved0,
    reserved1,
  };
  return { name: 'bind', client, args };
}

function typeOf(word: string | undefined): AccessType {
  return TYPES.find((type) => type === word) ?? 'r';
}
