// The check is a check only if it can fail: it does, with exit code 1, for the program that thrashes.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';

const command = [
  'exec',
  '--no',
  '--',
  'hmm',
  'run',
  'thrashing.hmm',
  '--client',
  'nvidia',
  '--gpu',
  'h100',
  '--fail-on',
  'thrash>0.1',
];
const { status, stdout, stderr } = spawnSync('npm', command, { encoding: 'utf8' });
assert.equal(status, 1, stdout + stderr);
