import type { Name } from '../language/tree.js';
import { field, part, type Part, type RecordedPart } from '../part.js';

export type Words<K extends string> = readonly [K, ...K[]];

/** One of `words`, in the field `name`; recorded as it is written. */
export function oneOf<const N extends string, K extends string>(
  name: N,
  words: Words<K>,
): Part<Readonly<Record<N, K>>, Readonly<Record<N, K>>> & RecordedPart<Readonly<Record<N, K>>> {
  type Field = Readonly<Record<N, K>>;
  return {
    ...part<Field, Field>({
      words,
      read: (reader) => field(name, reader.oneOf(words)),
      format: (syntax) => syntax[name],
      bind: (syntax) => field(name, syntax[name]),
    }),
    readRecorded: (recorded) => field(name, recorded.oneOf(words)),
    writeRecorded: (value) => value[name],
  };
}

/** The word `word` where it stands, in the field `name`: true or false; recorded as 1 or 0. */
export function flag<const N extends string>(
  name: N,
  word: string,
): Part<Readonly<Record<N, boolean>>, Readonly<Record<N, boolean>>> &
  RecordedPart<Readonly<Record<N, boolean>>> {
  type Field = Readonly<Record<N, boolean>>;
  return {
    ...part<Field, Field>({
      words: [word],
      read(reader) {
        const taken = reader.maybe(() => {
          reader.word(word);
          return true;
        });
        return field(name, taken ?? false);
      },
      format: (syntax) => (syntax[name] ? word : ''),
      bind: (syntax) => field(name, syntax[name]),
    }),
    readRecorded: (recorded) => field(name, recorded.number() !== 0),
    writeRecorded: (value) => (value[name] ? '1' : '0'),
  };
}

/** Protection of a mapping, as letters. */
export type Protection = 'none' | 'r' | 'w' | 'rw' | 'rx' | 'rwx';

/** The words of protections. */
export const PROTECTIONS: Words<Protection> = ['none', 'r', 'w', 'rw', 'rx', 'rwx'];

/** A protection that has to be named. */
export const protection = oneOf('protection', PROTECTIONS);

/** A protection that is `rw` unless the text names another. */
export const protectionOrBoth: typeof protection = {
  ...protection,
  read: (reader) => ({ protection: reader.maybe(() => reader.oneOf(PROTECTIONS)) ?? 'rw' }),
  format: (syntax) => (syntax.protection === 'rw' ? '' : syntax.protection),
};

/** The kind of a step that can fail, by the name that its code has for it: `alloc_page`. */
export const siteName: Part<{ readonly site: Name }, { readonly site: string }> = part<
  { readonly site: Name },
  { readonly site: string }
>({
  read: (reader) => ({ site: reader.name() }),
  format: ({ site }) => site.text,
  bind: ({ site }) => ({ site: site.text }),
});
