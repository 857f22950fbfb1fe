import { HmmError } from '@hmm/kernel';
import { type PageRange, regionPage } from '../memory-region.js';

/** The words of one recorded operation, taken one after the other. Each throws HmmError `OPERATION` for what is not there. */
export class RecordedWords {
  private readonly text: string;
  private readonly words: readonly string[];
  private at = 0;

  constructor(text: string) {
    this.text = text;
    this.words = text.split(' ');
  }

  word(): string {
    const word = this.words[this.at++];
    if (word === undefined) this.fail('a word is missing');
    return word;
  }

  /** A number of decimal digits. */
  number(): number {
    const word = this.word();
    if (!isCount(word)) this.fail(`"${word}" is not a number`);
    return Number(word);
  }

  oneOf<T extends string>(words: readonly T[]): T {
    const word = this.word();
    const found = words.find((each) => each === word);
    if (found === undefined) this.fail(`"${word}" is none of ${words.join(', ')}`);
    return found;
  }

  /** `REGION OFFSET PAGES`. */
  range(): PageRange {
    return { vpn: this.page(), pages: this.number(), region: undefined };
  }

  /** `REGION OFFSET`: a page. */
  page(): number {
    const region = this.number();
    return regionPage(region, this.number());
  }

  /** Whether words are left. */
  get more(): boolean {
    return this.at < this.words.length;
  }

  /** Nothing may follow. */
  end(): void {
    if (this.more) this.fail('there are words too many');
  }

  fail(why: string): never {
    throw new HmmError('OPERATION', `'${this.text}': ${why}`, { operation: this.text });
  }
}

/** Whether a word consists of decimal digits. */
function isCount(word: string): boolean {
  for (let i = 0; i < word.length; i++) {
    const code = word.charCodeAt(i);
    if (code < 48 || code > 57) return false;
  }
  return word.length > 0;
}
