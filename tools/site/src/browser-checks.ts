import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { encodeFragment } from '@hmm/explorer/view-url';
import { ROOT } from './repository.js';
import { CHROMIUM_FLAGS, chromiumPath, serve, type Served } from './serve.js';

/** Pages that are looked at: one of each kind. */
const PAGES = [
  'index.html',
  'guide/kernel.html',
  'guide/gpu.html',
  'guide/teacher.html',
  'guide/tools.html',
  'checked.html',
  'not-modelled.html',
  'reference/language.html',
  'reference/defects.html',
  'reference/litmus.html',
  'reference/litmus/faults.html',
  'reference/gpus/h100.html',
  'reference/parameters.html',
  'reference/api/@hmm/mirror.html',
  'coverage.html',
  'packages/mm.html',
  'try.html',
];

/** What the first page may weigh, compressed, and how long it may take to be painted, ms. */
const FIRST_PAGE_BYTES = 200_000;
const FIRST_PAINT_MS = 1000;
/** A text file beside the pages, which a browser shows without any of their scripts. */
const EMPTY_PAGE = 'llms.txt';
/** Findings of axe that count. */
const SERIOUS = ['serious', 'critical'];

/**
 * A sentence for each thing that does not hold of the built site in a browser: accessibility in both themes, requests to anywhere
 * else, errors, the weight of the first page, its first paint, and a program opened by its link. Without a browser nothing is looked at, and
 * `say` is told.
 */
export async function browserComplaints(say: (line: string) => void): Promise<string[]> {
  if (chromiumPath === undefined) {
    say('site: there is no Chromium (HMM_CHROMIUM): the pages were not looked at');
    return [];
  }
  const base = process.env['HMM_SITE_BASE'] ?? '/';
  const served = await serve(process.env['HMM_SITE_OUT'] ?? join(ROOT, 'site'), base);
  const browser = await chromium.launch({ executablePath: chromiumPath, args: [...CHROMIUM_FLAGS] });
  try {
    return [
      ...(await firstPage(browser, served, say)),
      ...(await accessibility(browser, served)),
      ...(await opened(browser, served)),
    ];
  } finally {
    await browser.close();
    served.server.close();
  }
}

async function firstPage(browser: Browser, served: Served, say: (line: string) => void): Promise<string[]> {
  const paints: number[] = [];
  const empty: number[] = [];
  let bytes = 0;
  for (let i = 0; i < 5; i++) {
    served.sent.clear();
    paints.push(await paintOf(browser, served.url));
    bytes = [...served.sent.values()].reduce((sum, size) => sum + size, 0);
    empty.push(await paintOf(browser, `${served.url}${EMPTY_PAGE}`));
  }
  // What a bare text takes is the machine's, and the other work's that it has.
  const [paint, machine] = [medianOf(paints), medianOf(empty)];
  say(
    `site: first page ${(bytes / 1000).toFixed(0)} kB compressed, first paint ${paint.toFixed(0)} ms, of a bare text ${machine.toFixed(0)} ms (medians of 5, loopback)`,
  );
  return [
    ...(bytes > FIRST_PAGE_BYTES ? [`the first page is ${bytes} bytes, more than ${FIRST_PAGE_BYTES}`] : []),
    ...(paint - machine > FIRST_PAINT_MS
      ? [`the first page is painted ${paint - machine} ms later than a bare text`]
      : []),
  ];
}

async function paintOf(browser: Browser, url: string): Promise<number> {
  const page = await (await browser.newContext()).newPage();
  await page.goto(url, { waitUntil: 'networkidle' });
  const paint = await page.evaluate(firstPaint);
  await page.context().close();
  return paint;
}

function medianOf(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function firstPaint(): number {
  return performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Infinity;
}

/** What axe says of a page; only what is read of it. */
interface Findings {
  readonly violations: readonly {
    readonly id: string;
    readonly impact: string | null;
    readonly nodes: readonly { readonly html: string }[];
  }[];
}

async function accessibility(browser: Browser, served: Served): Promise<string[]> {
  const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  const found: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    const context = await browser.newContext({ colorScheme, reducedMotion: 'reduce', bypassCSP: true });
    for (const name of PAGES) {
      const page = await context.newPage();
      watch(page, served, found);
      await page.goto(served.url + name, { waitUntil: 'networkidle' });
      await page.evaluate(axe);
      const { violations } = await page.evaluate<Findings>('axe.run(document, { iframes: false })');
      for (const { id, impact, nodes } of violations) {
        if (!SERIOUS.includes(impact ?? '')) continue;
        found.push(
          `${name} (${colorScheme}): ${id}: ${nodes.length} times, ${nodes[0]?.html.slice(0, 200) ?? ''}`,
        );
      }
      await page.close();
    }
    await context.close();
  }
  return found;
}

/** Errors of a page, and what it asks of others, are told. */
function watch(page: Page, served: Served, found: string[]): void {
  const origin = new URL(served.url).origin;
  page.on('pageerror', (error) => found.push(`${page.url()}: ${error.message}`));
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(origin) && !/^(?:data|blob):/.test(url)) found.push(`${page.url()} asks for ${url}`);
  });
}

/** A program that comes with a link runs in the explorer. */
async function opened(browser: Browser, served: Served): Promise<string[]> {
  const page = await (await browser.newContext()).newPage();
  const program =
    'program from-a-link\nset gpu = p100-2016\nmalloc a 4KiB\ncpu write a = 5\ngpu read a -> x\n';
  await page.goto(`${served.url}try.html#${encodeFragment({ m: 'compare', p: program })}`);
  const frame = page.frameLocator('iframe');
  try {
    await frame.getByText('from-a-link').first().waitFor({ timeout: 30_000 });
    await frame.locator('.summary').first().waitFor({ timeout: 30_000 });
    return [];
  } catch {
    return ['a program that a link carries is not opened in the explorer'];
  }
}
