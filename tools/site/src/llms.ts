import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from './page.js';

/** Pages of which only the list is of use: whoever needs one opens it. */
const LISTED_ONLY = /^(?:reference\/(?:api|gpus|litmus)\/|coverage|tools\/)/;

/** Writes `llms.txt`, the list of pages with what each is about, and `llms-full.txt`, the text of those that explain. */
export function writeLlms(pages: readonly Page[], out: string): void {
  const sorted = [...pages].sort((a, b) => a.path.localeCompare(b.path));
  const line = ({ path, text }: Page): string => `- [${titleOf(text)}](${path.replace(/\.md$/, '.html')})`;
  const list = [
    '# HMM in TypeScript',
    '> An executable reference model of Linux Heterogeneous Memory Management: kernel side, driver side, modelled page tables, GPUs and virtual time. ' +
      'Programs, litmus tests and traces run on it under several drivers; it is held against recordings of real systems.',
    '## Pages',
    sorted
      .filter(({ path }) => !LISTED_ONLY.test(path))
      .map(line)
      .join('\n'),
    '## Optional',
    sorted
      .filter(({ path }) => LISTED_ONLY.test(path))
      .map(line)
      .join('\n'),
  ].join('\n\n');
  writeFileSync(join(out, 'llms.txt'), `${list}\n`);
  const full = sorted.filter(({ path }) => !LISTED_ONLY.test(path)).map(({ text }) => text);
  writeFileSync(join(out, 'llms-full.txt'), `${full.join('\n\n')}\n`);
}

function titleOf(text: string): string {
  return (/^# (.*)$/m.exec(text)?.[1] ?? 'Home').replace(/[`\\]/g, '');
}
