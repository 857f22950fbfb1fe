const LINE_PX = 18;
const CHARACTER_PX = 8.4;
const COLUMNS = 80;
const LINES = 46;
const PADDING = 16;

/** What a command prints, as a picture of a terminal without colour: its first lines, headings in bold. */
export function terminalPicture(command: string, output: string): string {
  const lines = output.split('\n').slice(0, LINES);
  const width = COLUMNS * CHARACTER_PX + 2 * PADDING;
  const height = (lines.length + 2) * LINE_PX + 2 * PADDING;
  const text = [`$ ${command}`, ...lines]
    .map(
      (line, i) =>
        `<text x="${PADDING}" y="${PADDING + (i + 1) * LINE_PX}"${styleOf(line)}>${escaped(line)}</text>`,
    )
    .join('\n');
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="What ${command} prints"><style>text{font:14px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#e6e6e6;white-space:pre}.bold{font-weight:bold;fill:#8fd0ff}</style><rect width="100%" height="100%" rx="8" fill="#1b1d21"/>\n${text}\n</svg>\n`;
}

function styleOf(line: string): string {
  return /^\d\. |^The first example/.test(line) ? ' class="bold"' : '';
}

function escaped(line: string): string {
  return line.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
