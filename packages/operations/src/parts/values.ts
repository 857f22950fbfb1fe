import { evaluateNumber } from '../language/evaluate.js';
import { formatPrimary, formatSum } from '../language/format.js';
import type { Expr } from '../language/tree.js';
import { type Dimension, field, part, type Part, type RecordedPart } from '../part.js';

/** A number of a unit in the field `name`: `4MiB`, `5ms`, `n + 1`. */
export function sum<const N extends string>(
  name: N,
  unit: Dimension,
): Part<Readonly<Record<N, Expr>>, Readonly<Record<N, number>>> {
  type Syntax = Readonly<Record<N, Expr>>;
  return part<Syntax, Readonly<Record<N, number>>>({
    read: (reader) => field(name, reader.sum()),
    format: (syntax) => formatSum(syntax[name]),
    check(syntax, check) {
      check.expect(syntax[name], unit);
    },
    bind(syntax, scope) {
      const value = evaluateNumber(syntax[name], scope);
      return typeof value === 'object' ? value : field(name, value);
    },
  });
}

/** A plain number after a word, in the field of that name: `rounds 24`. */
export function counted<const N extends string>(
  name: N,
): Part<Readonly<Record<N, Expr>>, Readonly<Record<N, number>>> {
  type Syntax = Readonly<Record<N, Expr>>;
  return part<Syntax, Readonly<Record<N, number>>>({
    words: [name],
    read(reader) {
      reader.word(name);
      return field(name, reader.primary());
    },
    format: (syntax) => `${name} ${formatPrimary(syntax[name])}`,
    check(syntax, check) {
      check.expect(syntax[name], 'number');
    },
    bind(syntax, scope) {
      const value = evaluateNumber(syntax[name], scope);
      return typeof value === 'object' ? value : field(name, value);
    },
  });
}

/** `= 5`, or nothing, which is 0; recorded as the number. */
export const assigned: Part<{ readonly value: Expr | undefined }, { readonly value: number }> &
  RecordedPart<{ readonly value: number }> = {
  ...part<{ readonly value: Expr | undefined }, { readonly value: number }>({
    read: (reader) => ({
      value: reader.maybe(() => {
        reader.sign('=');
        return reader.sum();
      }),
    }),
    format: ({ value }) => (value === undefined ? '' : `= ${formatSum(value)}`),
    check({ value }, check) {
      if (value !== undefined) check.expect(value, 'number');
    },
    bind({ value }, scope) {
      const number = value === undefined ? 0 : evaluateNumber(value, scope);
      return typeof number === 'object' ? number : { value: number };
    },
  }),
  readRecorded: (words) => ({ value: words.number() }),
  writeRecorded: ({ value }) => String(value),
};
