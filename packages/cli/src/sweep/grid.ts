/** One thing that a sweep varies, and its values. */
export interface SweepAxis {
  /** `what`, `client`, `gpu`, `seed`, `memory`, or a setting. */
  readonly name: string;
  readonly values: readonly string[];
}

/** One run of a sweep: a value of each axis. */
export interface SweepCell {
  /** Its number in the whole grid, whichever shard runs it. */
  readonly index: number;
  readonly values: Readonly<Record<string, string>>;
}

/** The most cells of a grid. */
const MOST_CELLS = 1_000_000;

/** Reads `name=1,2,4`, `seed=1..10` or `rounds=16..256*2` (doubling); or one line on what was expected. */
export function parseAxis(text: string): SweepAxis | string {
  const [, name, list] = /^([\w.-]+)=(.+)$/s.exec(text) ?? [];
  if (name === undefined || list === undefined)
    return `'${text}' is no axis: key=value,value or key=from..to is needed`;
  const values = list.split(',').flatMap(expand);
  if (values.length === 0 || values.includes(''))
    return `'${text}' has an empty value, or a range that never gets to its end`;
  if (new Set(values).size < values.length) return `'${text}' has a value twice`;
  return { name, values };
}

/** The values of `4..16` or `4..64*2`; what is no range is itself. */
function expand(text: string): string[] {
  const [, from, to, factor] = /^(\d+)\.\.(\d+)(?:\*(\d+))?$/.exec(text.trim()) ?? [];
  if (from === undefined || to === undefined) return [text.trim()];
  const values: string[] = [];
  const times = factor === undefined ? undefined : Number(factor);
  if (times !== undefined && (times < 2 || Number(from) === 0)) return [];
  for (let value = Number(from); value <= Number(to) && values.length < MOST_CELLS;) {
    values.push(String(value));
    value = times === undefined ? value + 1 : value * times;
  }
  return values;
}

/** Cells of the whole grid; one line where there are too many. */
export function gridSize(axes: readonly SweepAxis[]): number | string {
  const cells = axes.reduce((product, { values }) => product * values.length, 1);
  return cells <= MOST_CELLS ? cells : `the grid has ${cells} cells; ${MOST_CELLS} at most`;
}

/** Cell `index` of the grid: the last axis changes fastest. */
export function gridCell(axes: readonly SweepAxis[], index: number): SweepCell {
  const values: Record<string, string> = {};
  let rest = index;
  for (const axis of [...axes].reverse()) {
    values[axis.name] = axis.values[rest % axis.values.length] ?? '';
    rest = Math.floor(rest / axis.values.length);
  }
  return { index, values };
}

/** Reads `2/8`: part, parts. One line where it is neither. */
export function parseShard(text: string): { readonly part: number; readonly parts: number } | string {
  const [, part, parts] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  const shard = { part: Number(part), parts: Number(parts) };
  if (part === undefined || shard.part < 1 || shard.part > shard.parts)
    return `'${text}' is no shard: PART/PARTS is needed, from 1/8 to 8/8`;
  return shard;
}
