import assert from 'node:assert/strict';
import { simulate } from '@hmm/model';
import { nvidia, policy } from './policy.js';

const program = 'managed a 16MiB cpu write a = 1 gpu read a -> x';
const [before, after] = [nvidia, policy].map((client) => simulate(program, { client, gpu: 'h100' }));
for (const { report } of [before, after]) {
  const us = (report.time_ns / 1000).toFixed(0);
  console.log(`${report.client}: ${report.faults} faults, ${us} us, read ${report.values.x[0]}`);
}
assert.equal(after.report.values.x[0], 1);
assert.ok(after.report.faults < before.report.faults);
assert.ok(after.report.time_ns < before.report.time_ns);
