import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { growthTable, GROWTH_TESTS, type GrowthRow, measureGrowth, withTable } from './growth.js';

const USAGE = `usage: node tools/bench/dist/growth.js [--seconds N] [--pages N,N…] [--write FILE] [WORD…]
How explorations grow: ten tests of 1, 2, 4, 8 and 16 pages and 2 to 4 agents, or those whose names
contain every WORD. Prints a table; --write puts it into FILE, between the marks there.
--seconds N  stop a search after N seconds of CPU time (4)`;

/** CPU time of this process, in seconds: what is worth something on a machine that others use as well. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function main(): number {
  let options;
  try {
    options = parseArgs({
      allowPositionals: true,
      options: {
        seconds: { type: 'string', default: '4' },
        pages: { type: 'string', default: '1,2,4,8,16' },
        write: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    return misuse(error instanceof Error ? error.message : String(error));
  }
  const { values, positionals } = options;
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const seconds = Number(values.seconds);
  const pages = values.pages.split(',').map(Number);
  if (!(seconds > 0)) return misuse(`--seconds ${values.seconds}: a number above 0 is needed`);
  if (!pages.every((count) => Number.isInteger(count) && count >= 1 && count <= 16))
    return misuse(`--pages ${values.pages}: counts from 1 to 16 are needed`);
  const names = GROWTH_TESTS.filter((name) => positionals.every((word) => name.includes(word)));
  if (names.length === 0) return misuse(`no test has "${positionals.join(' ')}" in its name`);
  return report(measured(names, pages, seconds), values.write);
}

function measured(names: readonly string[], pages: readonly number[], seconds: number): GrowthRow[] {
  // One test first, so that code is compiled.
  measureGrowth(GROWTH_TESTS[0] ?? '', 2, seconds, cpuSeconds);
  return names.flatMap((name) =>
    pages.flatMap((count) => measureGrowth(name, count, seconds, cpuSeconds) ?? []),
  );
}

function report(rows: readonly GrowthRow[], file: string | undefined): number {
  const table = growthTable(rows);
  console.log(table);
  if (file === undefined) return 0;
  const text = withTable(readFileSync(file, 'utf8'), table);
  if (text === undefined) return misuse(`${file} has no marks between which a table could be put`);
  writeFileSync(file, text);
  return 0;
}

function misuse(what: string): number {
  console.error(`growth: ${what}\n${USAGE}`);
  return 2;
}

process.exitCode = main();
