/** A page of the site, as VitePress takes it. */
export interface Page {
  /** `guide/kernel.md`, below the site's root. */
  readonly path: string;
  /** Markdown. */
  readonly text: string;
  /** The file of the repository that it is, for "edit this page"; undefined for what is generated. */
  readonly source?: string;
}

/** A cell of a table: no line ends, no column ends. */
export function cell(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ').replaceAll('|', '\\|');
}

/** A Markdown table. Columns whose name ends in `:` are aligned to the right. */
export function markdownTable(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  return [
    line(columns.map((name) => name.replace(/:$/, ''))),
    line(columns.map((name) => (name.endsWith(':') ? '--:' : '---'))),
    ...rows.map(line),
  ].join('\n');
}

/** A fenced block of code. */
export function fence(language: string, code: string): string {
  return `\`\`\`${language}\n${code.trimEnd()}\n\`\`\``;
}

/** Text that is to be read as it stands: no tags, no interpolation, no emphasis. */
export function plain(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('{{', '&#123;&#123;')
    .replace(/[*_`[\]]/g, (sign) => `\\${sign}`);
}

/** The place in a page that a heading makes, as GitHub names it: the repository's own links are of that kind. */
export function slug(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\-_ ]/gu, '')
    .replaceAll(' ', '-');
}

/** The places of a Markdown text: its headings, numbered where several are called the same, and what has an id. */
export function placesOf(text: string): ReadonlySet<string> {
  const prose = text.replace(/^ *```[\s\S]*?^ *```/gm, '');
  const found = new Set([...prose.matchAll(/<a id="([^"]+)"/g)].map(([, id = '']) => id));
  const seen = new Map<string, number>();
  for (const [, heading = ''] of prose.matchAll(/^#+ (.*)$/gm)) {
    const name = slug(
      heading
        .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
        .replace(/\\(.)/g, '$1')
        .replace(/&\w+;/g, ''),
    );
    const times = seen.get(name) ?? 0;
    seen.set(name, times + 1);
    found.add(times === 0 ? name : `${name}-${times}`);
  }
  return found;
}
