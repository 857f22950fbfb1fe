import { evaluateNumber } from '../language/evaluate.js';
import { formatPrimary } from '../language/format.js';
import type { Expr } from '../language/tree.js';
import type { PageRange } from '../memory-region.js';
import { part, type Part, type RecordedPart } from '../part.js';
import { oneOf, type Words } from './words.js';

/** A memory region by its number. `byAddress`: pages are those of the process, else they count from the region's start. */
export interface OfRegion {
  readonly mr: number;
  readonly byAddress: boolean;
}

/** `mr 0`: a memory region of an adapter; recorded as its number. */
export const ofRegion: Part<{ readonly mr: Expr }, OfRegion> & RecordedPart<OfRegion> = {
  ...part<{ readonly mr: Expr }, OfRegion>({
    words: ['mr'],
    read(reader) {
      reader.word('mr');
      return { mr: reader.primary() };
    },
    format: ({ mr }) => `mr ${formatPrimary(mr)}`,
    check({ mr }, check) {
      check.expect(mr, 'number');
    },
    bind({ mr }, scope) {
      const number = evaluateNumber(mr, scope);
      return typeof number === 'object' ? number : { mr: number, byAddress: true };
    },
  }),
  readRecorded: (words) => ({ mr: words.number(), byAddress: false }),
  writeRecorded: ({ mr }) => String(mr),
};

/** `shift 100`: so many bytes on, or nothing; recorded as the number at the end. */
export const shifted: Part<{ readonly shift: Expr | undefined }, { readonly shift: number }> &
  RecordedPart<{ readonly shift: number }> = {
  ...part<{ readonly shift: Expr | undefined }, { readonly shift: number }>({
    words: ['shift'],
    read: (reader) => ({
      shift: reader.maybe(() => {
        reader.word('shift');
        return reader.primary();
      }),
    }),
    format: ({ shift }) => (shift === undefined ? '' : `shift ${formatPrimary(shift)}`),
    check({ shift }, check) {
      if (shift !== undefined) check.expect(shift, 'number');
    },
    bind({ shift }, scope) {
      const number = shift === undefined ? 0 : evaluateNumber(shift, scope);
      return typeof number === 'object' ? number : { shift: number };
    },
  }),
  readRecorded: (words) => ({ shift: words.more ? words.number() : 0 }),
  writeRecorded: ({ shift }) => (shift === 0 ? '' : String(shift)),
};

/** Pages of a memory region, recorded as `OFFSET PAGES` from its start. */
export const piece: RecordedPart<{ readonly range: PageRange }> = {
  readRecorded: (words) => ({ range: { vpn: words.number(), pages: words.number(), region: undefined } }),
  writeRecorded: ({ range }) => `${range.vpn} ${range.pages}`,
};

/** One page of a memory region, recorded as `OFFSET`. */
export const pieceOfOne: RecordedPart<{ readonly range: PageRange }> = {
  readRecorded: (words) => ({ range: { vpn: words.number(), pages: 1, region: undefined } }),
  writeRecorded: ({ range }) => String(range.vpn),
};

/** What a region allows: remote read, remote and local write, remote atomic and local write. */
export type Rights = 'r' | 'w' | 'a' | 'rw' | 'ra' | 'wa' | 'rwa';

/** Those that a program can say: a word that is one letter would take the name away that most programs use. */
const SAID: Words<Rights> = ['r', 'w', 'rw', 'ra', 'wa', 'rwa'];
const said = oneOf('rights', SAID);

/** `rwa`. */
export const rights: typeof said = {
  ...said,
  readRecorded: (words) => ({ rights: words.oneOf([...SAID, 'a']) }),
};

/** For reading, for writing, or nothing faulted. */
export type AdviceWord = 'r' | 'w' | 'nofault';

const advised = oneOf<'advice', AdviceWord>('advice', ['r', 'w', 'nofault']);

/** `r`, `w` or `nofault`, which is recorded as `n`. */
export const adviceWord: typeof advised = {
  ...advised,
  readRecorded(words) {
    const letter = words.oneOf(['r', 'w', 'n']);
    return { advice: letter === 'n' ? 'nofault' : letter };
  },
  writeRecorded: ({ advice }) => (advice === 'nofault' ? 'n' : advice),
};
