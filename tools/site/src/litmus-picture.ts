import { formatStatement, type ProgramFile } from '@hmm/workload';

const CHARACTER = 7.3;
const LINE = 22;
const GAP = 14;
const PADDING = 10;
const MAX_CHARACTERS = 60;

/** A box of statements in the picture. */
interface Box {
  readonly title: string;
  readonly lines: readonly string[];
}

/**
 * A litmus test as a picture: what is set up, a column an agent, what runs afterwards, and what must hold. SVG that takes its
 * colours from the page.
 */
export function litmusPicture(program: ProgramFile, condition: string): string {
  const agents: Box[] = program.threads.map(({ name, process, body }) => ({
    title: process === undefined ? name.text : `${name.text} in ${process.text}`,
    lines: body.map(statementText),
  }));
  const columns = agents.map(({ title, lines }) => widthOf([title, ...lines]));
  const before: Box = { title: 'before', lines: program.body.map(statementText) };
  const after: Box = { title: 'afterwards, alone', lines: program.final.map(statementText) };
  const rows = [before, after].filter(({ lines }) => lines.length > 0);
  const inner = sum(columns) + GAP * Math.max(columns.length - 1, 0);
  const width = Math.max(
    inner,
    ...rows.map(({ title, lines }) => widthOf([title, ...lines])),
    textWidth(condition) + 2 * PADDING,
  );
  const drawn: string[] = [];
  let y = 1;
  if (before.lines.length > 0) y = place(drawn, before, 1, y, width) + GAP;
  let bottom = y;
  let x = 1;
  for (const [i, agent] of agents.entries()) {
    const wide = (columns[i] ?? 0) + (width - inner) / agents.length;
    bottom = Math.max(bottom, place(drawn, agent, x, y, wide));
    x += wide + GAP;
  }
  y = bottom + GAP;
  if (after.lines.length > 0) y = place(drawn, after, 1, y, width) + GAP;
  drawn.push(`<text x="${PADDING}" y="${y + 14}" font-weight="bold">${escaped(condition)}</text>`);
  const height = y + LINE + 4;
  return `<svg class="litmus-picture" role="img" aria-label="${escaped(`Litmus test ${program.name}: ${condition}`)}" viewBox="0 0 ${Math.ceil(width + 2)} ${height}" width="${Math.ceil(width + 2)}" height="${height}">${drawn.join('')}</svg>`;
}

/** Draws a box with its top left corner at (x, y); returns where it ends. */
function place(into: string[], { title, lines }: Box, x: number, y: number, width: number): number {
  const height = (lines.length + 1) * LINE + PADDING;
  into.push(
    `<rect x="${x}" y="${y}" width="${Math.round(width)}" height="${height}" rx="6"/>`,
    `<text class="title" x="${x + PADDING}" y="${y + 18}">${escaped(title)}</text>`,
    ...lines.map(
      (line, i) => `<text x="${x + PADDING}" y="${y + 18 + (i + 1) * LINE}">${escaped(line)}</text>`,
    ),
  );
  return y + height;
}

function statementText(statement: ProgramFile['body'][number]): string {
  const text = formatStatement(statement).replace(/\s+/g, ' ');
  return text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS - 1)}…` : text;
}

function widthOf(lines: readonly string[]): number {
  return Math.max(...lines.map(textWidth)) + 2 * PADDING;
}

function textWidth(text: string): number {
  return text.length * CHARACTER;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('"', '&quot;')
    .replaceAll('{{', '&#123;&#123;');
}
