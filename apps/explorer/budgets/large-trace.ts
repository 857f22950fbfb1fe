import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import type { Browser, Page } from 'playwright-core';
import { serveFolder } from '../test/e2e/chromium.js';
import { atLeast, atMost, type BudgetResult } from './budget-result.js';

const EVENTS = 10_000_000;
const PAGES = 4096;
const LOAD_MS = 240_000;
const SCRUB_FRAMES = 150;

/** Opens a trace of ten million accesses in the page as built, and scrubs through it as by keyboard. */
export async function largeTrace(browser: Browser, folder: string, scratch: string): Promise<BudgetResult[]> {
  const file = join(scratch, 'large.lackey');
  await writeTrace(file);
  const { server, url } = await serveFolder(folder);
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  await page.goto(url);
  await page.locator('.sentence').first().waitFor();
  const memory = watchMemory(browser);
  const begin = performance.now();
  await page.locator('input[type=file]').setInputFiles(file);
  await page.getByText('rows 10,000,000').waitFor({ timeout: LOAD_MS });
  const loadMs = performance.now() - begin;
  const framesPerSecond = await scrub(page);
  const bytes = await memory.end();
  await page.close();
  server.close();
  return [
    atMost('opening a trace of 10 M events', loadMs / 1000, 's', 60),
    atLeast('scrubbing over 10 M events', framesPerSecond, 'frames/s', 30),
    atMost('memory of the page meanwhile, at most', bytes / 2 ** 20, 'MiB', 2048),
  ];
}

/** A trace as valgrind's lackey writes it: streaming with reuse, over {@link PAGES} pages. */
async function writeTrace(path: string): Promise<void> {
  const out = createWriteStream(path);
  const lines: string[] = ['==1== Lackey'];
  let seed = 1;
  for (let i = 0; i < EVENTS; i++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
    const page = (i & 7) === 0 ? (seed >>> 12) % PAGES : Math.floor(i / 64) % PAGES;
    lines.push(` ${(i & 3) === 0 ? 'S' : 'L'} ${(0x10000000 + page * 4096 + (i & 4088)).toString(16)},8`);
    if (lines.length < 65_536) continue;
    if (!out.write(`${lines.join('\n')}\n`)) await once(out, 'drain');
    lines.length = 0;
  }
  out.end(`${lines.join('\n')}\n`);
  await finished(out);
}

/** Frames a second while keys zoom in and move the view and the cursor, one key a frame. */
async function scrub(page: Page): Promise<number> {
  const map = page.locator('figure.map canvas');
  await map.focus();
  return map.evaluate(async (canvas, frames) => {
    const keys = [
      '+',
      '+',
      '+',
      '+',
      ...Array.from({ length: 24 }, () => ['d', 'd', 'PageDown']).flat(),
      '-',
      '-',
    ];
    const begin = performance.now();
    for (let i = 0; i < frames; i++) {
      const key = keys[i % keys.length] ?? 'd';
      canvas.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
      await new Promise(requestAnimationFrame);
    }
    return (frames / (performance.now() - begin)) * 1000;
  }, SCRUB_FRAMES);
}

const LOOK_EVERY_MS = 200;

/** Watches the resident memory of the largest renderer: what the page and its workers take. Returns the most, bytes. */
function watchMemory(browser: Browser): { end(): Promise<number> } {
  let most = 0;
  const look = async (): Promise<void> => {
    most = Math.max(most, await residentMemory(browser));
  };
  const timer = setInterval(() => void look(), LOOK_EVERY_MS);
  return {
    end: async () => {
      clearInterval(timer);
      await look();
      return most;
    },
  };
}

async function residentMemory(browser: Browser): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  const sizes = await Promise.all(
    processInfo
      .filter(({ type }) => type === 'renderer')
      .map(async ({ id }) => {
        const status = await readFile(`/proc/${id}/status`, 'utf8').catch(() => '');
        return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024;
      }),
  );
  return Math.max(0, ...sizes);
}
