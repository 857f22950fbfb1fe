// `npm run hmm -- ARGS`: the command `hmm`, built first when it is missing or older than its sources.
// Standard output is the command's own; everything said on the way goes to standard error.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { buildApp, install, requireNode, root } from './bootstrap.mjs';

requireNode();
install();
const status = buildApp();
if (status === 0) {
  const command = [join(root, 'apps/compare/dist/cli.js'), ...process.argv.slice(2)];
  // INIT_CWD: where the user typed the command; npm itself goes to the root.
  const cwd = process.env.INIT_CWD ?? process.cwd();
  const child = spawn(process.execPath, command, { cwd, stdio: 'inherit' });
  // Ctrl-C reaches the command by itself, and it may have something to print before it ends.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 143);
  });
} else {
  process.exitCode = status;
}
