// `npm run hmm -- ARGS`: the command `hmm`, built first when it is missing or older than its sources.
// Standard output is the command's own; everything said on the way goes to standard error.
import { buildApp, install, requireNode, run } from './bootstrap.mjs';

requireNode();
install();
const status = buildApp();
process.exitCode =
  status === 0
    ? run([process.execPath, 'apps/compare/dist/cli.js', ...process.argv.slice(2)], {
        stdin: 'inherit',
        env: process.env,
      })
    : status;
