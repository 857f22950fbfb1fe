// `npm start`: from a fresh clone to the first example on both drivers.
import { buildApp, install, requireNode, run } from './bootstrap.mjs';

requireNode();
install();
const status = buildApp();
process.exitCode = status === 0 ? run([process.execPath, 'apps/compare/dist/cli.js', 'demo']) : status;
