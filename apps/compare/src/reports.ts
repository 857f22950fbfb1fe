import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readReport, type ReportCase } from '@hmm/cli';

/** Where the reports are: in a clone as in the packed command beside its code. */
const FOLDER = fileURLToPath(new URL('../reports/', import.meta.url));

/** Everything that people reported, by name. @throws Error where a file is none. */
export function reportCases(): ReportCase[] {
  const files = readdirSync(FOLDER).filter((file) => /\.(hmm|litmus)$/.test(file));
  return files.sort().map((file) => {
    const path = join(FOLDER, file);
    const read = readReport(readFileSync(path, 'utf8'), path);
    if ('length' in read) throw new Error(read.join('\n'));
    return read;
  });
}
