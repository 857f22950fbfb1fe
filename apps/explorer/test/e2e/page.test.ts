import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { chromiumPath } from './chromium.js';
import { builtPage, expectText, PageUnderTest, tabTo, writtenAddress } from './page-under-test.js';

const NOUVEAU = 'nouveau SVM';
const NVIDIA = 'NVIDIA UVM 580.159.04';

if (chromiumPath === undefined) {
  console.warn(
    'No Chromium was found: the end-to-end tests of the page are skipped. ' +
      'To run them: apt-get install chromium, or set HMM_CHROMIUM to the path of one.',
  );
}

describe.skipIf(chromiumPath === undefined)('the page in Chromium', { timeout: 120_000 }, () => {
  let site: PageUnderTest;

  beforeAll(async () => {
    site = await PageUnderTest.start();
  }, 180_000);

  afterAll(async () => {
    await site.stop();
  });

  afterEach(async () => {
    expect(await site.finish()).toEqual([]);
  });

  const pane = (page: Page, name: string) => page.getByRole('article', { name });
  const map = (page: Page, client: string) =>
    page.getByRole('application', { name: new RegExp(`Residency map, ${client}`) });

  test('opens on both drivers, with their summaries, and a cause shows the chain behind it', async () => {
    const page = await site.open();
    await pane(page, `${NOUVEAU} on p100-2016`).waitFor();
    await pane(page, `${NVIDIA} on p100-2016`).waitFor();
    await expectText(page, '.summary', /nouveau on p100-2016: .* nothing moved/);
    await expectText(page, '.summary', /nvidia on p100-2016: .* moved/);
    await expectText(page, '.differences', /nouveau moved nothing to the device; nvidia moved 64.0 KiB/);
    await page
      .getByRole('button', { name: /% waiting for faults/ })
      .last()
      .click();
    await expectText(page, '.why', /access.*fault.*batch.*decision.*migration.*replay.*result/s);
    await page.getByRole('img', { name: /Prefetch tree of page 0\. .* 16 pages: they are taken/ }).waitFor();
    const inView = await page.locator('.why').evaluate((why) => {
      const { top, bottom } = why.getBoundingClientRect();
      return top > 0 && bottom <= window.innerHeight;
    });
    expect(inView).toBe(true);
    await page.keyboard.press('Escape');
  });

  test('pages and bars are asked with the keyboard, magnified, and found again at their address', async () => {
    const page = await site.open();
    const shown = map(page, 'nvidia');
    await shown.focus();
    const colour = (): Promise<number[]> =>
      shown.evaluate((canvas) => {
        const context = canvas instanceof HTMLCanvasElement ? canvas.getContext('2d') : null;
        return [...(context?.getImageData(40, 4, 1, 1).data ?? [])];
      });
    // Of the whole run, 40 pixels from its begin the pages are in GPU memory; magnified, the CPU has just written them.
    await expect.poll(colour, { timeout: 30_000 }).toEqual([0, 114, 178, 255]);
    for (let i = 0; i < 6; i++) await page.keyboard.press('+');
    await expect.poll(colour, { timeout: 30_000 }).toEqual([230, 159, 0, 255]);
    for (let i = 0; i < 4; i++) await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await expectText(page, '.why', /under NVIDIA/);
    await page.getByRole('application', { name: /Events of nouveau/ }).focus();
    await page.keyboard.press('ArrowRight');
    await page
      .getByRole('application', { name: /Events of nouveau: exceptions:page_fault_user at 0 ns/ })
      .waitFor();
    await map(page, 'nvidia').focus();
    await page.keyboard.press('PageDown');
    const cursor = (await page.locator('.axis-name').textContent()) ?? '';
    const address = await writtenAddress(page);
    const again = await site.openAddress(address, (target) => target.startsWith(site.url));
    await expectText(again, '.axis-name', new RegExp(cursor.replace('.', '\\.')));
    await again.getByRole('button', { name: 'Whole run' }).click();
    await expectText(again, '.why', /under nouveau/);
  });

  test('the release of a pane is chosen with the keyboard, and found again at the address', async () => {
    const page = await site.open();
    const release = page.getByLabel('Linux of pane 1');
    expect(await release.inputValue()).toBe('');
    await release.focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await expect.poll(() => release.inputValue()).toBe('6.12');
    await expect
      .poll(() => page.getByLabel('Settings of pane 1, name=value').inputValue())
      .toBe('release=6.12');
    const address = await writtenAddress(page);
    const again = await site.openAddress(address, (target) => target.startsWith(site.url));
    await expect.poll(() => again.getByLabel('Linux of pane 1').inputValue()).toBe('6.12');
  });

  test('any drivers, GPUs and settings can be beside each other, and retries are seen', async () => {
    const page = await site.open();
    await page.getByRole('button', { name: 'Add a pane' }).click();
    await page.getByLabel('Driver of pane 3').selectOption('nvidia');
    await page.getByLabel('Settings of pane 3, name=value').fill('nonsense=1');
    await page.keyboard.press('Tab');
    await expectText(page, '.pane', /There is nothing called nonsense to set\. Known: .*uvm_perf_prefetch/);
    await page.getByLabel('Settings of pane 3, name=value').fill('uvm_perf_prefetch_threshold=1');
    await page.keyboard.press('Tab');
    await expect.poll(() => page.locator('.map canvas').count(), { timeout: 30_000 }).toBe(3);
    await page.getByLabel('Example').selectOption({ label: 'A retry: the CPU unmaps during a GPU fault' });
    await page.locator('.pane:first-of-type .lane-names').getByText('retries').waitFor();
  });

  test('the first example is stepped forwards and back on both drivers', async () => {
    const page = await site.open({ m: 'step' });
    for (const title of [NOUVEAU, NVIDIA]) {
      const run = pane(page, `${title}, step by step`);
      await run.waitFor();
      const narrated: string[] = [];
      for (let i = 0; i < 5; i++) {
        await run.getByRole('button', { name: 'Continue' }).click();
        narrated.push((await run.locator('.narration [aria-current=step]').textContent()) ?? '');
      }
      // nouveau serves a page at a time, and so does the middle steps again before it goes on.
      expect(narrated).toEqual(['1', '2', '3', '4', title === NOUVEAU ? '2' : '5']);
      const count = run.locator('.count');
      const at = await count.textContent();
      const state = await run.locator('.state').textContent();
      await run.getByRole('button', { name: 'Previous' }).click();
      expect(await count.textContent()).not.toBe(at);
      await run.getByRole('button', { name: 'Next' }).click();
      expect(await count.textContent()).toBe(at);
      expect(await run.locator('.state').textContent()).toBe(state);
      expect(await run.locator('.facts').textContent()).toContain('✓ hold');
    }
    await page.locator('.cm-at-line').first().waitFor();
  });

  test('breakpoints stop at a function, an event and a change of a page; taken locks are marked', async () => {
    const page = await site.open({ m: 'step' });
    const run = pane(page, `${NOUVEAU}, step by step`);
    const stopAt = async (kind: string, name: string): Promise<void> => {
      await run.getByLabel('Kind of breakpoint, nouveau').selectOption(kind);
      await run.getByLabel('Name for the breakpoint, nouveau').fill(name);
      await run.getByRole('button', { name: 'Add' }).click();
      await run.getByRole('button', { name: 'Continue' }).click();
      await run.getByRole('button', { name: `Remove the breakpoint on ${kind} ${name}` }).click();
    };
    await run.waitFor();
    await stopAt('function', 'nouveau_range_fault');
    await expectText(page, '.step-pane:first-child .facts', /nouveau_svm_fault → .*nouveau_range_fault/);
    await stopAt('page', 'a[0]');
    await expectText(page, '.step-pane:first-child .state .changed', /host memory, rw/);
    await expectText(page, '.step-pane:first-child .lock', /svmm->mutex/);
    await stopAt('event', 'replay');
    await expectText(page, '.step-pane:first-child .facts', /nouveau:svm_fault_replay/);
    await run.getByLabel('Step, nouveau').focus();
    await page.keyboard.press('Home');
    await expectText(page, '.step-pane:first-child .count', /^step 1 of/);
  });

  test('a broken program shows its error at the line', async () => {
    const page = await site.open({ m: 'compare', p: 'malloc a 4KiB\ncpu write b = 5\n' });
    await expectText(page, '[role=alert]', /Line 2, column 11: .*b/);
    await page.locator('.cm-lint-marker-error').waitFor();
    expect(await page.locator('.cm-lintRange-error').textContent()).toContain('b');
    await page.locator('.cm-content').fill('malloc a 4KiB\ncpu write a = 5\n');
    await page.keyboard.press('Control+Enter');
    await expectText(page, '.summary', /nvidia/);
    expect(await page.locator('.cm-lintRange-error').count()).toBe(0);
  });

  test('a program that does not end can be stopped, and the page goes on', async () => {
    const p = 'malloc a 4KiB\nrepeat 1000000000 {\n  cpu write a[0] = 1\n}\n';
    const page = await site.open({ m: 'compare', p });
    await page.getByRole('button', { name: 'Stop' }).click();
    await expectText(page, '[role=alert]', /Stopped\./);
    await page.getByLabel('Example').selectOption({ index: 1 });
    await expectText(page, '.summary', /nvidia/);
  });

  test('the counterexample of a planted mistake is replayed from the address', async () => {
    const page = await site.open({ m: 'litmus', l: 'protocol no-retry\n', r: 'hmm1-a2b5a' });
    await expectText(page, '.verdict', /✗ Violated/);
    await expectText(page, '.story', /This execution breaks it.*I1: the device maps page 1 to frame 2/s);
    await page.getByRole('button', { name: 'Step 6, T1' }).click();
    await expectText(page, '.story .narration', /cpu\[1\]: 2 → 5/);
    await page.keyboard.press('ArrowDown');
    await expectText(page, '.story .narration', /Step 7/);
    await page.getByRole('button', { name: 'Let T0 run instead, at step 3' }).click();
    await expectText(page, '.story', /One execution/);
    await page.getByRole('button', { name: 'Show hmm1-ab5a2' }).click();
    await expectText(page, '.story .replay', /hmm1-ab5a2/);
    const again = await site.openAddress(await writtenAddress(page), (to) => to.startsWith(site.url));
    await expectText(again, '.story .replay', /hmm1-ab5a2/);
  });

  test('a broken driver is chosen from the menu, and its counterexample replayed from the address', async () => {
    const page = await site.open({ m: 'litmus' });
    await expectText(page, '.verdict', /✗ Violated/);
    const menu = page.locator('.litmus .example select');
    await menu.selectOption({ label: 'The check is done before taking the lock' });
    await expectText(page, '.verdict', /✗ Violated.*retry-unlocked/s);
    const broken = await page.locator('.story > .problem').textContent();
    await page.locator('.story .replay .chip').click();
    await expectText(page, '.story', /This execution breaks it/);
    const again = await site.openAddress(await writtenAddress(page), (to) => to.startsWith(site.url));
    await expectText(again, '.story', /This execution breaks it/);
    expect(await again.locator('.story > .problem').textContent()).toBe(broken);
  });

  test('a lesson is completed by keyboard alone, and stays done at the address', async () => {
    const page = await site.open({ m: 'lessons', q: 3 });
    await page.getByRole('heading', { name: /The race/ }).waitFor();
    await tabTo(page, 'input[type=radio]');
    await page.keyboard.press('ArrowDown');
    if (!(await page.getByRole('radio', { name: /Yes, if the callback/ }).isChecked()))
      await page.keyboard.press('ArrowDown');
    await tabTo(page, 'button.primary');
    await page.keyboard.press('Enter');
    await expectText(page, '[role=status]', /✓ Right/);
    await expectText(page, '.lessons nav', /1 of \d+ done/);
    const again = await site.openAddress(await writtenAddress(page), (to) => to.startsWith(site.url));
    await expectText(again, '.lessons nav', /1 of \d+ done/);
  });

  test('a wrong answer is told from the run, with the maps to see it', async () => {
    const page = await site.open({ m: 'lessons', q: 0 });
    await page.getByRole('radio', { name: 'In GPU memory under both' }).check();
    await page.getByRole('button', { name: 'Run it and check' }).click();
    await expectText(page, '[role=status]', /✗ The run says otherwise: In CPU memory under nouveau, in GPU/);
    await page.getByRole('img', { name: /Where the pages were under nvidia/ }).waitFor();
  });

  test('recorded traces that are dropped or chosen become a pane; what is none is refused in words', async () => {
    const page = await site.open();
    await expectText(page, '.summary', /nvidia/);
    await page.evaluate(() => {
      const lines = Array.from({ length: 64 }, (_, i) => ` L 0${(0x1000000 + 4096 * i).toString(16)},4`);
      const transfer = new DataTransfer();
      transfer.items.add(new File([`==1== Lackey\n${lines.join('\n')}\n`], '<img src=x onerror=alert(1)>'));
      window.dispatchEvent(
        new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }),
      );
    });
    await expectText(page, '.pane h2', /^<img src=x onerror=alert\(1\)>$/);
    await expectText(page, '.pane', /lackey.*rows 64.*pages 64/s);
    await page.getByRole('application', { name: /Events of recorded/ }).focus();
    await page.keyboard.press('ArrowRight');
    await expectText(page, '.why', /recorded.*access.* 0x1000000\[0\] at row 0/s);
    const choose = (name: string, content: string): Promise<void> =>
      page
        .locator('input[type=file]')
        .setInputFiles({ name, mimeType: 'text/plain', buffer: Buffer.from(content) });
    await choose('empty', '');
    await expectText(page, '.pane', /empty.*: /s);
    await choose('given.hmm', 'program given\nmalloc a 4KiB\ngpu write a = 1\n');
    await expectText(page, '.cm-content', /program given/);
    await expectText(page, '.summary', /nvidia/);
  });

  test('a trace that the local server was started with is shown, and nothing runs over it', async () => {
    const page = await site.open();
    await page.route('**/opened/*', (route) =>
      route.fulfill({ body: `==1== Lackey\n L 1000000,4\n S 1001000,4\n` }),
    );
    await page.goto(`${site.url}?open=app.lackey`);
    await expectText(page, '.pane h2', /^app\.lackey$/);
    await page.getByRole('button', { name: 'Lessons' }).click();
    await page.getByRole('button', { name: 'Side by side' }).click();
    await expectText(page, '.pane h2', /^app\.lackey$/);
    expect(await page.locator('.pane').count()).toBe(1);
  });

  test('malformed addresses open the page as it begins', async () => {
    const page = await site.open({
      m: 'nonsense',
      p: 7,
      n: [{ client: 'x' }],
      c: -1,
      z: ['a'],
      s: [99, 1e9],
      t: 'x',
    });
    await expectText(page, '.summary', /nvidia/);
    for (const hash of ['%zz', 'AAAA', 'x'.repeat(10_000)]) {
      await page.evaluate((next) => {
        location.hash = next;
      }, hash);
      await expectText(page, '.summary', /nvidia/);
    }
    expect(await page.locator('.pane-row').count()).toBe(2);
  });

  test('pictures and a file for Perfetto can be taken', async () => {
    const page = await site.open();
    await expectText(page, '.differences', /nvidia/);
    const taken = async (button: string): Promise<{ name: string; bytes: Buffer }> => {
      const coming = page.waitForEvent('download');
      await page.getByRole('button', { name: button, exact: true }).click();
      const file = await coming;
      const chunks: Buffer[] = [];
      for await (const chunk of await file.createReadStream()) chunks.push(chunk as Buffer);
      return { name: file.suggestedFilename(), bytes: Buffer.concat(chunks) };
    };
    const svg = await taken('SVG');
    expect(svg.name).toBe('hmm.svg');
    expect(svg.bytes.toString()).toMatch(/<desc>HMM explorer: program first-example .*seed 1/);
    const png = await taken('PNG');
    expect([png.name, png.bytes.subarray(1, 4).toString()]).toEqual(['hmm.png', 'PNG']);
    const trace = await taken('Perfetto');
    expect(trace.name).toBe('hmm-trace.json');
    const { traceEvents } = JSON.parse(trace.bytes.toString()) as {
      traceEvents: { ph: string; name: string; dur?: number }[];
    };
    expect(
      traceEvents.some(({ name, ph, dur }) => name === 'uvm:Migration' && ph === 'X' && Number(dur) > 0),
    ).toBe(true);
  });

  test('the one-file build runs from a file, its scripts inside', async () => {
    const folder = await builtPage('single');
    const file = pathToFileURL(join(folder, 'index.html')).href;
    const page = await site.openAddress(file, (target) => target === file);
    await expectText(page, '.summary', /nvidia on p100-2016: .* moved/);
    await page.getByRole('button', { name: 'Step by step' }).click();
    await page.getByRole('button', { name: /^3 / }).click();
    await expectText(page, '.step-pane .facts', /nouveau_svm_fault/);
  });
});
