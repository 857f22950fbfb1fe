// Before the command `hmm` is packed, in its folder: puts the web page beside it, which `hmm view` serves.
import { cpSync, existsSync, rmSync } from 'node:fs';

const page = '../explorer/dist';
if (existsSync(`${page}/index.html`)) {
  rmSync('dist/explorer', { recursive: true, force: true });
  cpSync(page, 'dist/explorer', { recursive: true, filter: (path) => !path.endsWith('.map') });
} else {
  process.stderr.write('the page is not built: run "pnpm --filter @hmm/explorer build"\n');
  process.exitCode = 1;
}
