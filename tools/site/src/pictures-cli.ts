import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { encodeFragment } from '@hmm/explorer/view-url';
import { animated, type Frame } from './moving-picture.js';
import { repositoryText, ROOT } from './repository.js';
import { CHROMIUM_FLAGS, chromiumPath, serve } from './serve.js';
import { terminalPicture } from './terminal-picture.js';

// `pnpm site:pictures`: the pictures of the first page and the README, by the explorer's own export and from what the command prints.
const PICTURES = join(ROOT, 'docs/public/pictures');
const STEPS = 5;
const PROGRAM = repositoryText('apps/compare/examples/first-example.hmm');
const PATIENCE_MS = 60_000;

if (chromiumPath === undefined)
  throw new Error('the pictures need a Chromium: set HMM_CHROMIUM to the path of one');
mkdirSync(PICTURES, { recursive: true });
const served = await serve(join(ROOT, 'apps/explorer/dist'));
const browser = await chromium.launch({ executablePath: chromiumPath, args: [...CHROMIUM_FLAGS] });
try {
  await movingPicture(browser);
  await stillOfExplorer(browser);
} finally {
  await browser.close();
  served.server.close();
}
const demo = spawnSync(process.execPath, ['apps/compare/dist/cli.js', 'demo'], {
  cwd: ROOT,
  encoding: 'utf8',
  env: { ...process.env, NO_COLOR: '1', COLUMNS: '80' },
});
writeFileSync(join(PICTURES, 'terminal.svg'), terminalPicture('hmm demo', demo.stdout));

/** The first example on two drivers: what the explorer exports at each of the five steps, one after the other. */
async function movingPicture(chrome: Browser): Promise<void> {
  const page = await opened(chrome, { m: 'step', p: PROGRAM });
  await page.locator('.five button').first().waitFor({ timeout: PATIENCE_MS });
  const frames: Frame[] = [];
  for (let step = 0; step < STEPS; step++) {
    await page.locator('.five button').nth(step).click();
    await page.waitForTimeout(500);
    frames.push({ svg: await exported(page), step: step + 1 });
  }
  writeFileSync(join(PICTURES, 'first-example.svg'), animated(frames));
  writeFileSync(join(PICTURES, 'first-example-still.svg'), animated(frames.slice(2, 3)));
  await page.context().close();
}

async function stillOfExplorer(chrome: Browser): Promise<void> {
  const page = await opened(chrome, { m: 'compare', p: PROGRAM });
  await page.locator('.map canvas').nth(1).waitFor({ timeout: PATIENCE_MS });
  await page.waitForTimeout(1000);
  await page.screenshot({ path: join(PICTURES, 'explorer.png') });
  await page.context().close();
}

async function opened(chrome: Browser, state: object): Promise<Page> {
  const context = await chrome.newContext({
    viewport: { width: 1280, height: 800 },
    colorScheme: 'light',
    reducedMotion: 'reduce',
    acceptDownloads: true,
  });
  const page = await context.newPage();
  await page.goto(`${served.url}#${encodeFragment(state)}`);
  return page;
}

/** What the button "SVG" of the explorer gives. */
async function exported(page: Page): Promise<string> {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.locator('.exports button', { hasText: 'SVG' }).click(),
  ]);
  return readFileSync(await download.path(), 'utf8');
}
