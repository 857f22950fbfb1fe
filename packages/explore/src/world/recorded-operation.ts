import { HmmError } from '@hmm/kernel';
import { PAGE_POISON } from '@hmm/mm';
import type { DeviceCall } from './mirror-devices.js';
import type {
  AdviceWord,
  MappingKind,
  Operation,
  OperationResult,
  PageRange,
  ProtectionWord,
} from './operation.js';

const DEVICE_CALLS: readonly DeviceCall[] = [
  'dread',
  'dwrite',
  'todev',
  'tosys',
  'snap',
  'excl',
  'chkexcl',
  'drelease',
];
const PROTECTIONS: readonly ProtectionWord[] = ['none', 'r', 'w', 'rw', 'rx', 'rwx'];
const KINDS: readonly MappingKind[] = ['anon', 'shared', 'memfd', 'memfdp'];
const ADVICE: readonly AdviceWord[] = [
  'dontneed',
  'free',
  'pageout',
  'hugepage',
  'nohugepage',
  'cold',
  'collapse',
];

/** The words of one recorded operation. */
class Words {
  private readonly words: readonly string[];
  private at = 0;
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
    this.words = text.split(' ');
  }

  word(): string {
    const word = this.words[this.at++];
    if (word === undefined) this.fail('a word is missing');
    return word;
  }

  number(): number {
    const word = this.word();
    if (!/^\d+$/.test(word)) this.fail(`${word} is not a number`);
    return Number(word);
  }

  oneOf<T extends string>(words: readonly T[]): T {
    const word = this.word();
    const found = words.find((each) => each === word);
    if (found === undefined) this.fail(`expected one of ${words.join(', ')}, got ${word}`);
    return found;
  }

  range(): PageRange {
    return { region: this.number(), offset: this.number(), pages: this.number() };
  }

  /** Whether words are left. */
  get more(): boolean {
    return this.at < this.words.length;
  }

  end<T>(value: T): T {
    if (this.at !== this.words.length) this.fail('there are words too many');
    return value;
  }

  fail(why: string): never {
    throw new HmmError('OPERATION', `'${this.text}': ${why}`, { operation: this.text });
  }
}

/**
 * Reads an operation as the recordings write it: words separated by one space, such as `todev 0 1 7 1`.
 * @throws HmmError `OPERATION` when it is none.
 */
export function parseOperation(text: string): Operation {
  const words = new Words(text);
  return words.end(operationOf(words.word(), words));
}

function operationOf(name: string, words: Words): Operation {
  switch (name) {
    case 'mmap': {
      const range = { region: words.number(), offset: 0, pages: words.number() };
      return { name, range, prot: words.oneOf(PROTECTIONS), kind: words.oneOf(KINDS) };
    }
    case 'munmap':
    case 'mlock':
    case 'munlock':
    case 'cr':
    case 'forkcr':
      return { name, range: words.range() };
    case 'mprotect':
      return { name, range: words.range(), prot: words.oneOf(PROTECTIONS) };
    case 'madvise':
      return { name, range: words.range(), advice: words.oneOf(ADVICE) };
    case 'mremap': {
      const range = words.range();
      const to = { region: words.number(), offset: words.number(), pages: range.pages };
      return { name, range, to };
    }
    case 'cw':
    case 'forkcw':
      return { name, range: words.range(), value: words.number(), step: 1 };
    case 'pin':
      return { name, range: words.range(), write: words.number() !== 0, keep: false };
    case 'dopen':
    case 'dclose':
      return { name, device: words.number() };
    default:
      return deviceOperation(name, words);
  }
}

function deviceOperation(name: string, words: Words): Operation {
  const call = DEVICE_CALLS.find((each) => each === name);
  if (call === undefined) words.fail('there is no such operation');
  const device = words.number();
  if (call === 'drelease') {
    // Recordings name a range, which the device does not look at.
    if (words.more) words.range();
    return { name: 'device', call, device, range: { region: 0, offset: 0, pages: 1 }, value: 0 };
  }
  const range = words.range();
  return { name: 'device', call, device, range, value: call === 'dwrite' ? words.number() : 0 };
}

/** The text of a value that no rule determines: what a freed page happens to hold. */
export const ANY_VALUE = '*';

/** A result as the recordings write it, with {@link ANY_VALUE} for what was read from a freed page. */
export function formatResult(operation: Operation, result: OperationResult): string {
  const values = result.values.map((value) => (value === PAGE_POISON ? ANY_VALUE : value)).join(',');
  switch (operation.name) {
    case 'cr':
    case 'forkcr':
      return values;
    case 'cw':
    case 'forkcw':
      return result.values.map((value) => (value === 0 ? 'ok' : 'S')).join(',');
    case 'device': {
      const counted = operation.call === 'todev' || operation.call === 'tosys';
      const count = counted ? `/${result.rc === 0 ? result.cpages : 0}` : '';
      const valued = ['dread', 'todev', 'excl', 'snap'].includes(operation.call) && result.rc === 0;
      return `${result.rc}${count}${valued ? `:${values}` : ''}`;
    }
    default:
      return String(result.rc);
  }
}
