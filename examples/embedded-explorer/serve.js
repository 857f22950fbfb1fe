// Serves this folder to this computer, with the explorer as it is packed in @hmm/compare under explorer/. Any static host does the same.
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('.', import.meta.url));
const page = join(root, 'node_modules/@hmm/compare/dist/explorer');
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };

export function serve(port = 0) {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url, 'http://localhost').pathname).replace(/\/$/, '/index.html');
    const file = path.startsWith('/explorer/')
      ? join(page, path.slice('/explorer'.length))
      : join(root, path);
    if (!existsSync(file)) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'text/plain' }).end(readFileSync(file));
  });
  return new Promise((resolve) =>
    server.listen(port, '127.0.0.1', () =>
      resolve({ url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() }),
    ),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  console.log((await serve(Number(process.argv[2] ?? 0))).url);
