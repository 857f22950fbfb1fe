import { mkdtempSync } from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { build } from 'vite';
import { encodeFragment } from '../../src/state/view-url.js';
import { CHROMIUM_FLAGS, chromiumPath, serveFolder } from './chromium.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Longest wait for one thing, ms: machines that do other work, too, are slow. */
const PATIENCE_MS = 60_000;

/**
 * A build of the page: the one that turbo has made of these sources before it runs the tests; without turbo a fresh one.
 */
export async function builtPage(mode: 'production' | 'single'): Promise<string> {
  if (process.env['TURBO_HASH'] !== undefined) return join(ROOT, mode === 'single' ? 'dist-single' : 'dist');
  const outDir = mkdtempSync(join(tmpdir(), 'hmm-explorer-'));
  await build({
    root: ROOT,
    mode,
    logLevel: 'error',
    build: { outDir, emptyOutDir: true, sourcemap: false },
  });
  return outDir;
}

/** The page in a browser that notes every error of it and every request to anywhere else. */
export class PageUnderTest {
  readonly browser: Browser;
  readonly url: string;
  private readonly server: Server;
  private readonly problems: string[] = [];

  private constructor(browser: Browser, server: Server, url: string) {
    this.browser = browser;
    this.server = server;
    this.url = url;
  }

  /** Builds the page where needed, serves it, and starts the browser. */
  static async start(): Promise<PageUnderTest> {
    const launching = chromium.launch({ executablePath: chromiumPath ?? '', args: [...CHROMIUM_FLAGS] });
    const { server, url } = await serveFolder(await builtPage('production'));
    return new PageUnderTest(await launching, server, url);
  }

  /** Ends browser and server. */
  async stop(): Promise<void> {
    await this.browser.close();
    this.server.close();
  }

  /** A fresh page, at a state where one is given. */
  async open(state?: object, options: BrowserContextOptions = {}): Promise<Page> {
    const address = state === undefined ? this.url : `${this.url}#${encodeFragment(state)}`;
    return this.openAddress(address, (target) => target.startsWith(this.url), options);
  }

  /** A fresh page at any address; `allowed` says which requests it may make. */
  async openAddress(
    address: string,
    allowed: (target: string) => boolean,
    options: BrowserContextOptions = {},
  ): Promise<Page> {
    const context = await this.browser.newContext({
      viewport: { width: 1280, height: 900 },
      reducedMotion: 'reduce',
      colorScheme: 'light',
      ...options,
    });
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    page.on('pageerror', (error) => this.problems.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') this.problems.push(message.text());
    });
    page.on('request', (request) => {
      const target = request.url();
      if (!allowed(target) && !/^(?:data|blob):/.test(target)) this.problems.push(`request to ${target}`);
    });
    await page.goto(address);
    return page;
  }

  /** Closes all pages; what went wrong in them since the last call. */
  async finish(): Promise<string[]> {
    for (const context of this.browser.contexts()) await context.close();
    return this.problems.splice(0);
  }
}

/** Waits until an element shows a text. */
export async function expectText(page: Page, selector: string, text: RegExp): Promise<void> {
  await page.locator(selector).filter({ hasText: text }).first().waitFor();
}

/** Longer than the page waits before it writes what it shows into its address; the page's timers keep their order. */
const WRITTEN_AFTER_MS = 600;

/** The address once it says all that the page shows now. */
export async function writtenAddress(page: Page): Promise<string> {
  await page.evaluate((ms) => new Promise((done) => setTimeout(done, ms)), WRITTEN_AFTER_MS);
  return page.url();
}

/** Presses Tab until an element that fits has the focus. */
export async function tabTo(page: Page, selector: string): Promise<void> {
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press('Tab');
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted) === true, selector)) return;
  }
  throw new Error(`${selector} cannot be reached by keyboard`);
}
