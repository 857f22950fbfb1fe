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
