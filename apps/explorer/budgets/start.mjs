// Starts budgets/run.ts, which Node does not read by itself: bundled in memory first.
import { createServer } from 'vite';
import { fileURLToPath } from 'node:url';

const server = await createServer({
  root: fileURLToPath(new URL('..', import.meta.url)),
  server: { middlewareMode: true, hmr: false, ws: false },
  appType: 'custom',
  logLevel: 'error',
});
try {
  await server.ssrLoadModule('/budgets/run.ts');
} finally {
  await server.close();
}
