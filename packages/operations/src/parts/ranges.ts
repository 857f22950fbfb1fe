import { formatRange } from '../language/format.js';
import type { Name, Range } from '../language/tree.js';
import { type PageRange, regionOf } from '../memory-region.js';
import { isUnbound, part, type Part, type RecordedPart } from '../part.js';

/** The pages of a range: `a`, `a[3]`, `a[2..6]`; recorded as `REGION OFFSET PAGES`. */
export const pages: Part<{ readonly range: Range }, { readonly range: PageRange }> &
  RecordedPart<{ readonly range: PageRange }> = {
  ...part<{ readonly range: Range }, { readonly range: PageRange }>({
    read: (reader) => ({ range: reader.range() }),
    format: ({ range }) => formatRange(range),
    check({ range }, check) {
      check.range(range);
    },
    bind({ range }, scope) {
      const bound = scope.range(range);
      return isUnbound(bound) ? bound : { range: bound };
    },
  }),
  readRecorded: (words) => ({ range: words.range() }),
  writeRecorded: ({ range }) => `${placeText(range.vpn)} ${range.pages}`,
};

export interface MoveSyntax {
  readonly range: Range;
  readonly to: Range;
}

export interface Move {
  readonly range: PageRange;
  readonly to: PageRange;
}

/** `a[0..4] to b`: pages, and as many others. */
export const pagesTo: Part<MoveSyntax, Move> = part<MoveSyntax, Move>({
  words: ['to'],
  read(reader) {
    const range = reader.range();
    reader.word('to');
    return { range, to: reader.range(1) };
  },
  format: ({ range, to }) => `${formatRange(range)} to ${formatRange(to)}`,
  check({ range, to }, check) {
    check.range(range);
    check.range(to);
  },
  bind(syntax, scope) {
    const range = scope.range(syntax.range);
    if (isUnbound(range)) return range;
    const to = scope.range(syntax.to);
    return isUnbound(to) ? to : { range, to };
  },
});

/** `a[0..4] to b`: pages and where they move to; recorded as `REGION OFFSET PAGES REGION OFFSET`. */
export const move: Part<MoveSyntax, Move> & RecordedPart<Move> = {
  ...part<MoveSyntax, Move>({
    words: ['to'],
    read(reader) {
      const range = reader.range();
      reader.word('to');
      return { range, to: reader.range(1) };
    },
    format: ({ range, to }) => `${formatRange(range)} to ${formatRange(to)}`,
    check({ range, to }, check) {
      check.range(range);
      check.range(to);
    },
    declare({ to }, names) {
      names.target(to.region);
    },
    bind(syntax, scope) {
      const range = scope.range(syntax.range);
      if (isUnbound(range)) return range;
      const to = scope.target(syntax.to, range);
      return isUnbound(to) ? to : { range, to };
    },
  }),
  readRecorded(words) {
    const range = words.range();
    return { range, to: { vpn: words.page(), pages: range.pages, region: undefined } };
  },
  writeRecorded: ({ range, to }) => `${placeText(range.vpn)} ${range.pages} ${placeText(to.vpn)}`,
};

/** `a as b`: pages of a region, which go on under another name. */
export const renamed: Part<{ readonly from: Name; readonly name: Name }, { readonly range: PageRange }> =
  part<{ readonly from: Name; readonly name: Name }, { readonly range: PageRange }>({
    words: ['as'],
    read(reader) {
      const from = reader.name();
      reader.word('as');
      return { from, name: reader.name(1) };
    },
    format: ({ from, name }) => `${from.text} as ${name.text}`,
    check({ from }, check) {
      check.range({ region: from, from: undefined, to: undefined, span: from.span });
    },
    declare({ name }, names) {
      names.region(name);
    },
    bind({ from, name }, scope) {
      const range = scope.rename(from, name);
      return isUnbound(range) ? range : { range };
    },
  });

/** Region and offset of a page. */
export function placeText(vpn: number): string {
  const { region, offset } = regionOf(vpn) ?? { region: 0, offset: 0 };
  return `${region} ${offset}`;
}

/** The name of a process: `fork child`. `made`: the statement starts it. */
export function processName(made: boolean): Part<{ readonly child: Name }, { readonly child: string }> {
  return part({
    read: (reader) => ({ child: reader.name() }),
    format: ({ child }) => child.text,
    check({ child }, check) {
      if (!made) check.process(child);
    },
    declare({ child }, names) {
      if (made) names.startedProcess(child);
    },
    bind: ({ child }) => ({ child: child.text }),
  });
}
