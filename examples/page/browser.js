// The text of a page as a headless Chromium shows it; undefined where there is none. Chromium prints what was there when the page was loaded.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PLACES = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];

export async function pageText(url) {
  const chromium = PLACES.find((path) => path !== undefined && existsSync(path));
  if (chromium === undefined) return undefined;
  const profile = mkdtempSync(join(tmpdir(), 'hmm-example-'));
  const flags = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ];
  const child = spawn(
    chromium,
    [...flags, `--user-data-dir=${profile}`, '--virtual-time-budget=20000', '--dump-dom', url],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  let text = '';
  child.stdout.on('data', (part) => (text += part));
  await new Promise((resolve) => child.on('close', resolve));
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  return text;
}
