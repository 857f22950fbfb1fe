import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readReport, runReport } from '@hmm/cli';
import { allDrivers } from '@hmm/drivers';
import { devicesByClient } from '@hmm/explore/internal';
import { litmusDevices } from '@hmm/test-device';
import { expect, test } from 'vitest';

const FOLDER = fileURLToPath(new URL('../reports/', import.meta.url));
const FILES = readdirSync(FOLDER).filter((name) => /\.(hmm|litmus)$/.test(name));
const drivers = allDrivers();
const devices = devicesByClient(drivers, litmusDevices);

test.each(FILES)('%s: the model shows what was reported, and the advice helps', (file) => {
  const report = readReport(readFileSync(FOLDER + file, 'utf8'), FOLDER + file);
  if ('length' in report) throw new Error(report.join('\n'));
  const run = runReport(report, drivers, devices, { tryAdvice: false, search: { maxExecutions: 100 } });
  expect(run).toMatchObject({ result: 'passed' });
});
