import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { type Browser, chromium } from 'playwright-core';
import { build } from 'vite';
import { CHROMIUM_FLAGS, chromiumPath, serveFolder } from '../test/e2e/chromium.js';
import { atLeast, atMost, type BudgetResult } from './budget-result.js';
import { largeTrace } from './large-trace.js';
import type { Measured } from './measure.js';

/** Builds the page and the measuring page below `folder`, and measures every budget in Chromium. */
export async function measureBudgets(root: string, folder: string): Promise<BudgetResult[]> {
  const quiet = { root, logLevel: 'error' as const };
  const page = join(folder, 'page');
  const measuring = join(folder, 'measuring');
  const node = join(folder, 'node');
  const shared = { emptyOutDir: true, sourcemap: false };
  await build({ ...quiet, build: { ...shared, outDir: page } });
  const input = join(root, 'budgets/measure.html');
  await build({ ...quiet, build: { ...shared, outDir: measuring, rolldownOptions: { input } } });
  const entry = join(root, 'budgets/engine-work.ts');
  await build({
    ...quiet,
    build: { ...shared, outDir: node, lib: { entry, formats: ['es'], fileName: 'engine-work' } },
  });
  const browser = await chromium.launch({ executablePath: chromiumPath ?? '', args: [...CHROMIUM_FLAGS] });
  try {
    return [
      ...(await firstPaint(browser, page)),
      ...(await drawing(browser, measuring, node)),
      ...(await largeTrace(browser, page, folder)),
    ];
  } finally {
    await browser.close();
  }
}

async function firstPaint(browser: Browser, folder: string): Promise<BudgetResult[]> {
  const { server, url } = await serveFolder(folder);
  const paints: number[] = [];
  const scripts = new Set<string>();
  for (let round = 0; round < 5; round++) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    const page = await context.newPage();
    page.on('request', (request) => {
      if (request.url().endsWith('.js')) scripts.add(new URL(request.url()).pathname);
    });
    await page.goto(url);
    await page.locator('.cm-content').waitFor();
    paints.push(
      await page.evaluate(
        () => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Infinity,
      ),
    );
    await page.locator('.sentence').first().waitFor();
    await context.close();
  }
  server.close();
  const sizes = [...scripts].map((path) => ({
    path,
    bytes: gzipSync(readFileSync(join(folder, path))).length,
  }));
  const sum = (worker: boolean): number =>
    sizes
      .filter(({ path }) => path.includes('worker') === worker)
      .reduce((all, { bytes }) => all + bytes, 0) / 1000;
  const middle = paints.sort((a, b) => a - b)[2] ?? Infinity;
  return [
    atMost('first paint', middle, 'ms', 1000),
    atMost('script of the page, gzip', sum(false), 'kB', 250),
    atMost('script of the engine’s worker, gzip', sum(true), 'kB', 250),
  ];
}

async function drawing(browser: Browser, folder: string, node: string): Promise<BudgetResult[]> {
  const { server, url } = await serveFolder(folder);
  const page = await browser.newPage();
  await page.goto(`${url}budgets/measure.html`);
  const measured: Measured = await page.evaluate(() => window.measured);
  await page.close();
  server.close();
  const [file] = (await readdir(node)).filter((name) => name.endsWith('.js'));
  const nodeMs = await inNode(join(node, file ?? ''));
  return [
    atMost('1 M events drawn', measured.drawMs, 'ms', 100),
    atLeast('lanes built in the worker', measured.lanes / 1e6, 'M events/s', 10),
    atLeast('map built in the worker', measured.raster / 1e6, 'M events/s', 10),
    atLeast('engine in the worker, of its speed in Node', (100 * nodeMs) / measured.engineMs, '%', 70),
  ];
}

/** What the engine's work takes in a Node process of its own, ms. */
async function inNode(file: string): Promise<number> {
  const code = `import(${JSON.stringify(pathToFileURL(file).href)}).then((m) => console.log(m.engineWork()))`;
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', code]);
  return Number(stdout);
}
