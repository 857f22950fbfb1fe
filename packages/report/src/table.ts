/** A column of a text table. */
export interface Column {
  readonly title: string;
  /** Numbers to the right, text (default) to the left. */
  readonly align?: 'left' | 'right';
}

/** Columns of a terminal that nobody asked about. */
export const LINE_WIDTH = 80;

/**
 * A table of aligned columns, two spaces apart, no frames, so that it can be grepped. A last, left-aligned column that
 * would pass `width` is wrapped within itself.
 */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width = LINE_WIDTH,
): string {
  const widths = columns.map(({ title }, at) =>
    Math.max(title.length, ...rows.map((row) => (row[at] ?? '').length)),
  );
  const last = columns.length - 1;
  const before = widths.slice(0, last).reduce((sum, w) => sum + w + 2, 0);
  const room = Math.max(20, width - before);
  if (columns[last]?.align !== 'right') widths[last] = Math.min(widths[last] ?? 0, room);
  const lines = [columns.map(({ title }) => title), ...rows].flatMap((row) =>
    wrapLast(row, last, widths[last] ?? 0),
  );
  return lines
    .map((row) =>
      columns
        .map((column, at) => pad(row[at] ?? '', widths[at] ?? 0, column.align))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Text in lines of at most `width` characters, broken at spaces; a longer word stays whole. */
export function wrapText(text: string, width = LINE_WIDTH, indent = ''): string {
  return wrapWords(text, width - indent.length)
    .map((line) => indent + line)
    .join('\n');
}

function wrapWords(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines;
}

function wrapLast(row: readonly string[], last: number, width: number): string[][] {
  return wrapWords(row[last] ?? '', width).map((text, at) => {
    const head = row.slice(0, last);
    return [...(at === 0 ? head : head.map(() => '')), text];
  });
}

function pad(text: string, width: number, align: Column['align']): string {
  return align === 'right' ? text.padStart(width) : text.padEnd(width);
}

/**
 * Texts side by side, each wrapped within its own column of equal width; titles first, then a rule.
 * @param rows one cell a column.
 */
export function formatColumns(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  width = LINE_WIDTH,
): string {
  const each = Math.floor((width - 2 * (titles.length - 1)) / titles.length);
  const line = (cells: readonly string[]): string[] => {
    const wrapped = titles.map((_, at) =>
      (cells[at] ?? '').split('\n').flatMap((text) => wrapWords(text, each)),
    );
    const height = Math.max(...wrapped.map((lines) => lines.length));
    return Array.from({ length: height }, (_, y) =>
      wrapped
        .map((lines) => (lines[y] ?? '').padEnd(each))
        .join('  ')
        .trimEnd(),
    );
  };
  const rule = titles.map((title) => '-'.repeat(Math.min(each, title.length)));
  return [titles, rule, ...rows].flatMap(line).join('\n');
}
