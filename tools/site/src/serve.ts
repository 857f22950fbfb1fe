import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** The browser: `HMM_CHROMIUM`, or where distributions put it; undefined where there is none. */
export const chromiumPath: string | undefined = [process.env['HMM_CHROMIUM'] ?? '', ...PLACES].find(
  (path) => path !== '' && existsSync(path),
);

/** Nothing of the browser's own may use the network. */
export const CHROMIUM_FLAGS: readonly string[] = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.png': 'image/png',
};

/** A folder, served on the loopback interface below `base`, compressed as a static host does it. */
export interface Served {
  readonly server: Server;
  readonly url: string;
  /** Compressed bytes by path, of all that was asked for. */
  readonly sent: Map<string, number>;
}

/** Serves a folder. */
export async function serve(folder: string, base = '/'): Promise<Served> {
  const sent = new Map<string, number>();
  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '/').replace(/[?#].*$/, ''));
    const inside = path.startsWith(base) ? path.slice(base.length) : '..';
    const file = join(folder, inside === '' ? 'index.html' : inside);
    readFile(file).then(
      (bytes) => {
        const packed = extname(file) === '.png' ? bytes : gzipSync(bytes);
        sent.set(path, packed.length);
        response.setHeader('content-type', TYPES[extname(file)] ?? 'application/octet-stream');
        if (packed !== bytes) response.setHeader('content-encoding', 'gzip');
        response.end(packed);
      },
      () => {
        response.statusCode = 404;
        response.end();
      },
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { server, url: `http://127.0.0.1:${port}${base}`, sent };
}
