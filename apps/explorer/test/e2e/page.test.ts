import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import axe from 'axe-core';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { encodeFragment } from '../../src/state/view-url.js';
import { CHROMIUM_FLAGS, chromiumPath, serveFolder } from './chromium.js';
import { compareScreen } from './screens.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Share of pixels of a main view that may differ from the stored picture. */
const TOLERANCE = 0.03;

if (chromiumPath === undefined) {
  console.warn(
    'No Chromium was found: the end-to-end tests of the page are skipped. ' +
      'To run them: apt-get install chromium, or set HMM_CHROMIUM to the path of one.',
  );
}

describe.skipIf(chromiumPath === undefined)('the page in Chromium', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hmm-explorer-'));
  let browser: Browser;
  let server: Server;
  let url = '';
  const problems: string[] = [];

  beforeAll(async () => {
    await build({
      root: ROOT,
      logLevel: 'error',
      build: { outDir: folder, emptyOutDir: true, sourcemap: false },
    });
    ({ server, url } = await serveFolder(folder));
    browser = await chromium.launch({ executablePath: chromiumPath ?? '', args: [...CHROMIUM_FLAGS] });
  }, 180_000);

  afterAll(async () => {
    await browser.close();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
    const seen = problems.splice(0);
    expect(seen).toEqual([]);
  });

  /** A fresh page that notes every error and every request to anywhere else. */
  async function open(state?: object, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext({
      viewport: { width: 1280, height: 900 },
      reducedMotion: 'reduce',
      colorScheme: 'light',
      ...options,
    });
    const page = await context.newPage();
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
    page.on('request', (request) => {
      const target = request.url();
      if (!target.startsWith(url) && !/^(?:data|blob):/.test(target)) problems.push(`request to ${target}`);
    });
    await page.goto(state === undefined ? url : `${url}#${encodeFragment(state)}`);
    return page;
  }

  const pane = (page: Page, name: string) => page.getByRole('article', { name });

  test('opens on both drivers side by side, with their summaries and what differs', async () => {
    const page = await open();
    await pane(page, 'nouveau SVM of Linux 6.12 on p100-2016').waitFor();
    await expectText(page, '.summary', /nouveau on p100-2016: .* nothing moved/);
    await expectText(page, '.summary', /nvidia on p100-2016: .* moved/);
    await expectText(page, '.differences', /nouveau moved nothing to the device; nvidia moved 64.0 KiB/);
    await page
      .getByRole('button', { name: /waiting for faults/ })
      .first()
      .click();
    await expectText(page, '.why', /access.*fault.*batch.*decision/s);
  });

  test('the first example is stepped forwards and back on both drivers', async () => {
    const page = await open({ m: 'step' });
    for (const title of ['nouveau SVM of Linux 6.12', 'NVIDIA UVM 580.159.04']) {
      const run = pane(page, `${title}, step by step`);
      await run.waitFor();
      const narrated: string[] = [];
      for (let i = 0; i < 5; i++) {
        await run.getByRole('button', { name: 'Continue' }).click();
        narrated.push((await run.locator('.narration [aria-current=step]').textContent()) ?? '');
      }
      expect(narrated).toEqual(['1', '2', '3', '4', '5']);
      const count = run.locator('.count');
      const at = await count.textContent();
      await run.getByRole('button', { name: 'Previous' }).click();
      expect(await count.textContent()).not.toBe(at);
      await run.getByRole('button', { name: 'Next' }).click();
      expect(await count.textContent()).toBe(at);
      expect(await run.locator('.facts').textContent()).toContain('hold');
    }
  });

  test('a breakpoint on a kernel function stops there, with the names of the sources', async () => {
    const page = await open({ m: 'step' });
    const run = pane(page, 'nouveau SVM of Linux 6.12, step by step');
    await run.getByLabel('Name for the breakpoint, nouveau').fill('nouveau_range_fault');
    await run.getByRole('button', { name: 'Add' }).click();
    await run.getByRole('button', { name: 'Continue' }).click();
    await expectText(page, '.step-pane:first-child .facts', /nouveau_svm_fault → .*nouveau_range_fault/);
  });

  test('a broken program shows its error at the line', async () => {
    const page = await open({ m: 'compare', p: 'malloc a 4KiB\ncpu write b = 5\n' });
    await expectText(page, '[role=alert]', /Line 2, column 11: .*b/);
    await page.locator('.cm-lint-marker-error').waitFor();
    await page.locator('.cm-lintRange-error').waitFor();
    expect(await page.locator('.cm-lintRange-error').textContent()).toContain('b');
  });

  test('the counterexample of a planted mistake is replayed from the address', async () => {
    const page = await open({ m: 'litmus', l: 'protocol no-retry\n', r: 'hmm1-a2b5a' });
    await expectText(page, '.verdict', /✗ Violated/);
    await expectText(page, '.story', /This execution breaks it.*I1: the device maps page 1 to frame 2/s);
    await page.getByRole('button', { name: 'Step 6, T1' }).click();
    await expectText(page, '.story .narration', /cpu\[1\]: 2 → 5/);
    await page.getByRole('button', { name: 'Show hmm1-a3b5' }).click();
    await expectText(page, '.story', /One execution/);
    await page.waitForTimeout(500);
    expect(new URL(page.url()).hash.length).toBeGreaterThan(10);
  });

  test('a historical bug is planted from the menu, and its counterexample replayed from the address', async () => {
    const page = await open({ m: 'litmus' });
    await expectText(page, '.verdict', /✗ Violated/);
    await page
      .locator('.litmus .example select')
      .selectOption({ label: 'B20: a hole in the range is taken for a VMA' });
    await expectText(page, '.verdict', /fault-vs-munmap/);
    await expectText(page, '.verdict', /✗ Violated/);
    const broken = await page.locator('.story .problem').textContent();
    await page.locator('.story .replay button').click();
    await page.waitForTimeout(600);
    const again = await open();
    await again.goto(page.url());
    await again.reload();
    await expectText(again, '.story', /This execution breaks it/);
    expect(await again.locator('.story .problem').textContent()).toBe(broken);
  });

  test('a lesson is completed by keyboard alone', async () => {
    const page = await open({ m: 'lessons', q: 3 });
    await page.getByRole('heading', { name: /The race/ }).waitFor();
    await tabTo(page, 'input[type=radio]');
    await page.keyboard.press('ArrowDown');
    if (!(await page.getByRole('radio', { name: /Yes, if the callback/ }).isChecked()))
      await page.keyboard.press('ArrowDown');
    await tabTo(page, 'button.primary');
    await page.keyboard.press('Enter');
    await expectText(page, '[role=status]', /✓ Right/);
    await expectText(page, '.lessons nav', /1 of 8 done/);
  });

  test('the state of the page survives its address', async () => {
    const page = await open();
    await pane(page, 'nouveau SVM of Linux 6.12 on p100-2016').waitFor();
    const map = page.getByRole('application', { name: /Residency map, nvidia/ });
    await map.focus();
    for (let i = 0; i < 20; i++) await page.keyboard.press('ArrowRight');
    await page.keyboard.press('+');
    const cursor = await page.locator('.axis-name').textContent();
    await page.waitForTimeout(600);
    const again = await open();
    await again.goto(page.url());
    await again.reload();
    await expectText(again, '.axis-name', new RegExp(cursor ?? 'nothing'));
    await again.getByRole('button', { name: 'Whole run' }).waitFor();
  });

  test('a recorded trace that is dropped becomes a pane, and nothing is sent anywhere', async () => {
    const page = await open();
    await pane(page, 'nouveau SVM of Linux 6.12 on p100-2016').waitFor();
    await page.evaluate(() => {
      const lines = Array.from({ length: 64 }, (_, i) => ` L 0${(0x1000000 + 4096 * i).toString(16)},4`);
      const transfer = new DataTransfer();
      transfer.items.add(new File([`==1== Lackey\n${lines.join('\n')}\n`], 'app.lackey'));
      window.dispatchEvent(
        new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }),
      );
    });
    await expectText(page, '.pane', /app.lackey.*lackey.*rows\s*64/s);
  });

  test('pictures and a file for Perfetto can be taken', async () => {
    const page = await open();
    await pane(page, 'nouveau SVM of Linux 6.12 on p100-2016').waitFor();
    for (const [button, name] of [
      ['SVG', 'hmm.svg'],
      ['PNG', 'hmm.png'],
      ['Perfetto', 'hmm-trace.json'],
    ] as const) {
      const coming = page.waitForEvent('download');
      await page.getByRole('button', { name: button, exact: true }).click();
      const file = await coming;
      expect(file.suggestedFilename()).toBe(name);
      const chunks: Buffer[] = [];
      for await (const chunk of await file.createReadStream()) chunks.push(chunk as Buffer);
      const bytes = Buffer.concat(chunks);
      if (button === 'PNG') expect(bytes.subarray(1, 4).toString()).toBe('PNG');
      if (button === 'SVG')
        expect(bytes.toString()).toMatch(/<desc>HMM explorer: program first-example .*seed 1/);
      if (button === 'Perfetto') {
        const { traceEvents } = JSON.parse(bytes.toString()) as {
          traceEvents: { ph: string; name: string }[];
        };
        expect(traceEvents.some(({ name: event }) => event === 'uvm:Migration')).toBe(true);
      }
    }
  });

  test('the one-file build runs from a file, its scripts inside', async () => {
    const single = mkdtempSync(join(tmpdir(), 'hmm-explorer-single-'));
    try {
      const quiet = { root: ROOT, mode: 'single', logLevel: 'error' as const };
      await build({ ...quiet, build: { outDir: single, emptyOutDir: true } });
      expect(readdirSync(single)).toEqual(['index.html']);
      const page = await (await browser.newContext()).newPage();
      page.on('pageerror', (error) => problems.push(error.message));
      page.on('request', (request) => {
        if (!/^(?:file|data|blob):/.test(request.url())) problems.push(`request to ${request.url()}`);
      });
      await page.goto(pathToFileURL(join(single, 'index.html')).href);
      await expectText(page, '.summary', /nvidia on p100-2016: .* moved/);
    } finally {
      rmSync(single, { recursive: true, force: true });
    }
  });

  test('scrubbing draws the map of where it ends', async () => {
    const page = await open();
    await pane(page, 'nouveau SVM of Linux 6.12 on p100-2016').waitFor();
    const map = page.getByRole('application', { name: /Residency map, nvidia/ });
    const colour = (): Promise<number[]> =>
      map.evaluate((canvas) => {
        const context = canvas instanceof HTMLCanvasElement ? canvas.getContext('2d') : null;
        return [...(context?.getImageData(40, 4, 1, 1).data ?? [])];
      });
    // Of the whole run, 40 pixels from its begin the pages are in GPU memory; magnified, the CPU has just written them.
    await expect.poll(colour).toEqual([0, 114, 178, 255]);
    await map.focus();
    for (let i = 0; i < 6; i++) await page.keyboard.press('+');
    await expect.poll(colour).toEqual([230, 159, 0, 255]);
  });

  test.each(['compare', 'step', 'litmus', 'lessons'])(
    '%s has no serious accessibility finding',
    async (mode) => {
      for (const colorScheme of ['light', 'dark'] as const) {
        const page = await open({ m: mode }, { bypassCSP: true, colorScheme });
        await settled(page, mode);
        await page.addScriptTag({ content: axe.source });
        const findings = await page.evaluate(async () => {
          const axe = (globalThis as unknown as { axe: { run(): Promise<{ violations: Finding[] }> } }).axe;
          interface Finding {
            readonly id: string;
            readonly impact: string | null;
            readonly nodes: readonly { readonly html: string }[];
          }
          return (await axe.run()).violations.map(({ id, impact, nodes }) => ({
            id,
            impact,
            html: nodes[0]?.html ?? '',
          }));
        });
        expect(findings.filter(({ impact }) => impact === 'serious' || impact === 'critical')).toEqual([]);
      }
    },
  );

  test.each([
    ['compare', 'light'],
    ['compare', 'dark'],
    ['step', 'light'],
    ['litmus', 'light'],
    ['lessons', 'light'],
  ] as const)('%s looks as it did, %s', async (mode, colorScheme) => {
    const page = await open({ m: mode }, { colorScheme });
    await settled(page, mode);
    if (mode === 'step') await page.getByRole('button', { name: /^3 / }).click();
    await page.mouse.move(0, 0);
    await page.waitForTimeout(300);
    const scratch = await browser.newPage();
    const { differing } = await compareScreen(page, scratch, `${mode}-${colorScheme}`);
    expect(differing).toBeLessThanOrEqual(TOLERANCE);
  });
});

/** Waits until an element shows a text. */
async function expectText(page: Page, selector: string, text: RegExp): Promise<void> {
  await page.locator(selector).filter({ hasText: text }).first().waitFor({ timeout: 30_000 });
}

/** Presses Tab until an element that fits has the focus. */
async function tabTo(page: Page, selector: string): Promise<void> {
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press('Tab');
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted) === true, selector)) return;
  }
  throw new Error(`${selector} cannot be reached by keyboard`);
}

const SETTLED: Readonly<Record<string, string>> = {
  compare: '.differences li',
  step: '.step-pane .facts',
  litmus: '.story tbody tr',
  lessons: '.lesson form',
};

async function settled(page: Page, mode: string): Promise<void> {
  await page
    .locator(SETTLED[mode] ?? 'main')
    .first()
    .waitFor({ timeout: 30_000 });
  if (mode === 'compare' || mode === 'step' || mode === 'litmus') await page.locator('.cm-content').waitFor();
  await page.waitForTimeout(400);
}
