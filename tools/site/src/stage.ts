import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseProgram } from '@hmm/workload';
import { outsideCode, pageSources, siteLinks, sitePathOf } from './links.js';
import type { Page } from './page.js';
import { checkedPage } from './pages/checked.js';
import { defectsPage } from './pages/defects.js';
import { gpuPages } from './pages/gpus.js';
import { languagePage } from './pages/language.js';
import { lessonsPage } from './pages/lessons.js';
import { litmusPages } from './pages/litmus.js';
import { parametersPage } from './pages/parameters.js';
import { filesBelow, inRepository, repositoryText, ROOT } from './repository.js';

/** Where the pages are put together for VitePress, in the tool's folder. */
export const STAGE = join(ROOT, 'tools/site/.stage');

/** Pages, and what is wrong with their links. */
export interface Staged {
  readonly pages: readonly Page[];
  readonly complaints: readonly string[];
}

/** All pages but those of the API: the documents of the repository as the site has them, and what is generated. */
export function stagedPages(): Staged {
  const complaints: string[] = [];
  const pages = [...documents(complaints), ...generatedPages()];
  return { pages, complaints };
}

/** Pages that are made of the sources and of what runs wrote. */
export function generatedPages(): Page[] {
  return [
    languagePage(),
    ...litmusPages(),
    lessonsPage(),
    ...gpuPages(),
    parametersPage(),
    defectsPage(),
    checkedPage(),
  ];
}

/** Folders of recordings that say themselves what is in them. */
function recordings(): string[] {
  return filesBelow('tools/golden', 'README.md')
    .filter((file) => file !== 'README.md')
    .map((file) => `tools/golden/${file}`);
}

function documents(missing: string[]): Page[] {
  const docs = filesBelow('docs', '.md').filter((file) => !file.startsWith('api/'));
  return [...pageSources(docs), ...recordings()].map((source) => {
    const path = sitePathOf(source) ?? source;
    return { path, source, text: documentText(repositoryText(source), source, path, missing) };
  });
}

/** A document of the repository as VitePress takes it. */
function documentText(text: string, source: string, path: string, missing: string[]): string {
  // Pages below docs are the site's own and may have tags; the others are text for any reader.
  const own = source.startsWith('docs/') && OWN_PAGES.test(source);
  const escaped = own
    ? text
    : outsideCode(text, (prose) => prose.replace(/<(?!!--)/g, '&lt;').replaceAll('{{', '&#123;&#123;'));
  return withPrograms(withReference(siteLinks(escaped, source, path, missing), source));
}

const OWN_PAGES = /^docs\/(?:guide\/.*|index|try)\.md$/;

/** The README of a library says where its reference is. */
function withReference(text: string, source: string): string {
  const name = /^packages\/([\w-]+)\/README\.md$/.exec(source)?.[1];
  if (name === undefined || !inRepository(`packages/${name}/src/index.ts`)) return text;
  const here = text.replace(/^\[This page on the site\].*\n\n?/m, '');
  return here.replace(/^(# .*\n)/, `$1\n[Reference of every export](../reference/api/@hmm/${name}.md)\n`);
}

/** Blocks of plain text that are whole programs or litmus tests become such, so that they have colours and can be tried. */
function withPrograms(text: string): string {
  return text.replace(/^```text\n([\s\S]*?)^```$/gm, (block: string, code: string) => {
    if (!/^(?:program|litmus) /m.test(code) || !parseProgram(code, 'block').ok) return block;
    return `\`\`\`${/^litmus /m.test(code) ? 'litmus' : 'hmm'}\n${code}\`\`\``;
  });
}

/** Writes pages for VitePress, in the place of those of the last time. */
export function writeStage(pages: readonly Page[]): void {
  rmSync(STAGE, { recursive: true, force: true });
  for (const { path, text } of pages) {
    const file = join(STAGE, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}
