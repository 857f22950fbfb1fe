// Serves a folder to this computer: files as they are, and the packages of node_modules under their names by an import map in place of a bundler.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('.', import.meta.url));
const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.wasm': 'application/wasm',
};

const names = () =>
  readdirSync(join(root, 'node_modules')).flatMap((name) =>
    name.startsWith('@')
      ? readdirSync(join(root, 'node_modules', name)).map((part) => `${name}/${part}`)
      : [name],
  );

/** The file behind an entry of `exports`. */
const target = (entry) =>
  typeof entry === 'string' ? entry : entry && target(entry.browser ?? entry.import ?? entry.default);

function importMap() {
  const imports = {};
  for (const name of names()) {
    const path = join(root, 'node_modules', name, 'package.json');
    if (!existsSync(path)) continue;
    const { exports, module, main } = JSON.parse(readFileSync(path, 'utf8'));
    const entries =
      exports === undefined || typeof exports === 'string' || !('.' in exports)
        ? { '.': exports ?? `./${module ?? main}` }
        : exports;
    for (const [entry, to] of Object.entries(entries)) {
      const file = target(to);
      if (typeof file === 'string' && /\.m?js$/.test(file))
        imports[name + entry.slice(1)] = `/node_modules/${name}/${file.slice(2)}`;
    }
  }
  return JSON.stringify({ imports });
}

export function serve(port = 0) {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url, 'http://localhost').pathname);
    const file = join(root, path.endsWith('/') ? `${path}index.html` : path);
    if (!file.startsWith(root) || !existsSync(file)) return response.writeHead(404).end();
    let body = readFileSync(file);
    if (file.endsWith('index.html'))
      body = String(body).replace(
        '<script type="importmap" src="importmap"></script>',
        () => `<script type="importmap">${importMap()}</script>`,
      );
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'text/plain' }).end(body);
  });
  return new Promise((resolve) =>
    server.listen(port, '127.0.0.1', () =>
      resolve({ url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() }),
    ),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  console.log((await serve(Number(process.argv[2] ?? 0))).url);
