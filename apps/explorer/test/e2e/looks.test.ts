import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PaneSpec } from '../../src/engine/protocol.js';
import { EXAMPLES } from '../../src/examples/programs.js';
import { chromiumPath } from './chromium.js';
import { PageUnderTest } from './page-under-test.js';
import { compareScreen } from './screens.js';

/** Share of pixels of a main view that may differ from the stored picture. */
const TOLERANCE = 0.03;

/** What has to be there before a view is looked at. */
const SETTLED: Readonly<Record<string, readonly string[]>> = {
  compare: ['.differences li', '.cm-content', '.pane canvas', '.counter canvas'],
  step: ['.step-pane:nth-child(2) .facts', '.cm-content'],
  litmus: ['.story tbody tr', '.cm-content'],
  lessons: ['.lesson form'],
  gpus: ['.map-legend .swatch', '.cm-content', '.pane canvas', '.counter canvas'],
};

/** What is open in each view: its mode, or two machines with two GPUs each. */
function stateOf(view: string): object {
  if (view !== 'gpus') return { m: view };
  const program = EXAMPLES.find(({ title }) => title.startsWith('Two GPUs'))?.text;
  const pane = (client: string, gpu: string): PaneSpec => ({ client, gpu, settings: [] });
  return { m: 'compare', p: program, n: [pane('nvidia', '2xh200-nvlink'), pane('nouveau', '')] };
}

describe.skipIf(chromiumPath === undefined)('the looks of the page', { timeout: 120_000 }, () => {
  let site: PageUnderTest;
  let scratch: Page;

  beforeAll(async () => {
    site = await PageUnderTest.start();
    scratch = await site.browser.newPage();
  }, 180_000);

  afterAll(async () => {
    expect(await site.finish()).toEqual([]);
    await site.stop();
  });

  test.each(['compare', 'step', 'litmus', 'lessons', 'gpus'])(
    '%s looks as it did, light and dark, without serious accessibility findings',
    async (mode) => {
      const page = await site.open(stateOf(mode));
      for (const selector of SETTLED[mode] ?? []) await page.locator(selector).first().waitFor();
      if (mode === 'step') await page.getByRole('button', { name: /^3 / }).click();
      await page.mouse.move(0, 0);
      await page.evaluate(axe.source);
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        await page.locator(`html[data-theme=${colorScheme}]`).waitFor({ state: 'attached' });
        const looks = (): Promise<number> => compareScreen(page, scratch, `${mode}-${colorScheme}`);
        await expect.poll(looks, { timeout: 30_000, interval: 250 }).toBeLessThanOrEqual(TOLERANCE);
        expect(await seriousFindings(page)).toEqual([]);
      }
      await page.context().close();
    },
  );

  test('with a chain of causes open there are no serious accessibility findings either', async () => {
    const page = await site.open();
    await page
      .getByRole('button', { name: /% waiting for faults/ })
      .last()
      .click();
    await page.locator('.tree').waitFor();
    await page.evaluate(axe.source);
    expect(await seriousFindings(page)).toEqual([]);
    await page.getByRole('button', { name: 'Help' }).click();
    expect(await seriousFindings(page)).toEqual([]);
    await page.context().close();
  });
});

async function seriousFindings(page: Page): Promise<{ id: string; html: string }[]> {
  const { violations } = await page.evaluate<axe.AxeResults>('axe.run()');
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => ({ id, html: nodes[0]?.html ?? '' }));
}
