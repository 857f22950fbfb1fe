/** Rows of the table of a Markdown text whose first column is called `column`, cells trimmed. */
export function readRows(markdown: string, column: string): string[][] {
  const lines = markdown.split('\n');
  const head = lines.findIndex((line) => new RegExp(`^\\| *${column} *\\|`).test(line));
  if (head < 0) throw new Error(`there is no table of ${column}`);
  const rows: string[][] = [];
  for (const line of lines.slice(head + 2)) {
    if (!line.startsWith('|')) break;
    rows.push(
      line
        .slice(1, line.lastIndexOf('|'))
        .split('|')
        .map((text) => text.trim()),
    );
  }
  return rows;
}

/** The litmus test that finds a defect, and what else has to be wrong for it to show. */
export interface Find {
  readonly test: string;
  readonly others: readonly string[];
}

/** Reads lines "- `defect`: `test`, with `other`: what": by defect. */
export function readFinds(markdown: string): ReadonlyMap<string, Find> {
  const finds = new Map<string, Find>();
  for (const [, defect = '', text = ''] of markdown.matchAll(/^- `(\w+)`: (`[\w-]+`.*)$/gm)) {
    const [tests = '', others = ''] = text.split(', with ');
    const test = /`([\w-]+)`/.exec(tests)?.[1];
    if (test === undefined) continue;
    const named = others.split(':')[0] ?? '';
    finds.set(defect, { test, others: [...named.matchAll(/`(\w+)`/g)].map(([, name = '']) => name) });
  }
  return finds;
}
