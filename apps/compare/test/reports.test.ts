import { reportsPage, runReport } from '@hmm/cli';
import { allDrivers } from '@hmm/drivers';
import { devicesByClient } from '@hmm/explore/internal';
import { litmusDevices } from '@hmm/test-device';
import { expect, test } from 'vitest';
import { reportCases } from '../src/reports.js';

const drivers = allDrivers();
const devices = devicesByClient(drivers, litmusDevices);
const OPTIONS = { tryAdvice: false, search: { maxExecutions: 40 }, usualClient: 'test-device' };

test('the model shows what was reported, and what helps helps: docs/reports.md', async () => {
  const reports = reportCases().map((report) => ({
    report,
    run: runReport(report, drivers, devices, OPTIONS),
  }));
  const failed = reports.filter(({ run }) => run.result === 'failed');
  expect(failed.map(({ run }) => `${run.name}: ${run.reason}`)).toEqual([]);
  await expect(reportsPage(reports)).toMatchFileSnapshot('../../../docs/reports.md');
}, 240_000);
