// `npm test`: everything that must hold, then one line `N passed, N failed` summed over all packages.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { environment, install, packageFolders, pnpm, requireNode, root, run, say } from './bootstrap.mjs';

/** The steps, in order; all run even when an earlier one fails, so that one run shows all that is wrong. */
const steps = [
  ['build, types, lint, tests, formatting, packing', ['run', '--silent', 'check', '--continue']],
  ['layers', ['run', '--silent', 'layers']],
  ['unused code and dependencies', ['run', '--silent', 'knip']],
  ['kernel symbols', ['run', '--silent', 'symbols']],
  ['public faces', ['run', '--silent', 'api']],
];

const resultsOf = (folder) => join(root, folder, '.vitest', 'results.json');

requireNode();
install();
// A result left by an earlier run must not be counted; turbo puts a cached test run's file back.
for (const folder of packageFolders()) rmSync(resultsOf(folder), { force: true });

// Tests run against what has just been built: see tools/config/vitest.js.
const env = { ...environment, HMM_TEST_BUILT: '1' };
const failedSteps = [];
for (const [name, command] of steps) {
  const started = Date.now();
  say(`hmm: ${name} …`);
  const status = run(pnpm(...command), { env });
  say(`hmm: ${name}: ${status === 0 ? 'ok' : 'FAILED'} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  if (status !== 0) failedSteps.push(name);
}

let passed = 0;
let failed = 0;
const complaints = [];
for (const folder of packageFolders()) {
  const manifest = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
  if (manifest.scripts?.test === undefined) continue;
  if (!existsSync(resultsOf(folder))) {
    failed++;
    complaints.push(`${manifest.name}: its tests did not run to their end`);
    continue;
  }
  const results = JSON.parse(readFileSync(resultsOf(folder), 'utf8'));
  passed += results.numPassedTests;
  // A file that does not even load has no failed test, yet makes its run fail.
  const failures = Math.max(results.numFailedTests, results.success ? 0 : 1);
  failed += failures;
  if (failures > 0) complaints.push(`${manifest.name}: ${failures} failed`);
}
if (failed === 0) failed = failedSteps.length;
for (const line of [...failedSteps.map((name) => `step failed: ${name}`), ...complaints]) console.log(line);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
