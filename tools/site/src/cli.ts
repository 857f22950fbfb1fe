import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'vitepress';
import { apiPages } from './api-pages.js';
import { linkComplaints } from './built-links.js';
import { writeLlms } from './llms.js';
import { inRepository, ROOT } from './repository.js';
import { STAGE, stagedPages, writeStage } from './stage.js';

// `pnpm site`: the whole site, as plain files, into `site/`.
const OUT = process.env['HMM_SITE_OUT'] ?? join(ROOT, 'site');
const EXPLORER = 'apps/explorer/dist';

const staged = stagedPages();
const { pages } = staged;
const complaints = [...staged.complaints];
if (!inRepository(`${EXPLORER}/index.html`)) complaints.push(`${EXPLORER}: the explorer is not built`);
if (complaints.length > 0) stop(complaints);
console.error(`site: ${pages.length} pages, and the reference of the libraries …`);
const all = [...pages, ...(await apiPages())];
writeStage(all);
cpSync(join(ROOT, 'docs/public'), join(STAGE, 'public'), { recursive: true });
mkdirSync(join(STAGE, 'public/explorer'), { recursive: true });
cpSync(join(ROOT, EXPLORER), join(STAGE, 'public/explorer'), {
  recursive: true,
  filter: (file) => !file.endsWith('.map'),
});
await build(join(ROOT, 'tools/site'), { outDir: OUT });
writeLlms(all, OUT);
const broken = linkComplaints(OUT, process.env['HMM_SITE_BASE'] ?? '/');
if (broken.length > 0) stop(broken);
console.error(`site: ${all.length} pages in ${OUT}`);

function stop(found: readonly string[]): never {
  for (const complaint of found) console.error(complaint);
  process.exit(1);
}
