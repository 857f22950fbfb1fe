import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { coverage, coverageMarkdown, parseOmissions } from './coverage.js';
import {
  parseSymbolList,
  silenceComplaint,
  sourceTags,
  tagComplaint,
  type SourceTag,
  type SymbolFile,
} from './symbols.js';

const LISTS = ['linux.txt', 'nouveau.txt', 'nvidia-uvm.txt'];
const TABLE = 'docs/coverage.md';

/** `pnpm symbols [--write]`: looks every tag up in the lists and keeps the coverage table true. Exit code 1 if not. */
function main(root: string): number {
  const folder = join(root, 'tools/checks/symbols');
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
  const files: SymbolFile[] = LISTS.flatMap((name) => parseSymbolList(read(name), name));
  const tags = packageTags(root);
  const complaints = tags
    .flatMap((tag) => [tagComplaint(tag, files), silenceComplaint(tag, files)])
    .filter((complaint) => complaint !== undefined);
  const covered = coverage(tags, files);
  const table = coverageMarkdown(covered, parseOmissions(read('not-modelled.txt'), 'not-modelled.txt'));
  const path = join(root, TABLE);
  if (process.argv.includes('--write')) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, table);
  } else if (!existsSync(path) || readFileSync(path, 'utf8') !== table) {
    complaints.push(`${TABLE} is out of date: run "pnpm build && pnpm symbols --write"`);
  }
  for (const complaint of complaints) console.error(complaint);
  console.error(
    `symbols: ${tags.length} tags, ${covered.length} source files, ${complaints.length} complaints`,
  );
  return complaints.length === 0 ? 0 : 1;
}

function packageTags(root: string): SourceTag[] {
  return readdirSync(join(root, 'packages')).flatMap((name) => {
    const source = `packages/${name}/src`;
    if (!existsSync(join(root, source))) return [];
    return readdirSync(join(root, source), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .sort()
      .flatMap((file) => sourceTags(readFileSync(join(root, source, file), 'utf8'), `${source}/${file}`));
  });
}

process.exitCode = main(process.cwd());
