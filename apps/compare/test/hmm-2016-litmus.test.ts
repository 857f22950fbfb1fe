import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { allDrivers } from '@hmm/drivers';
import { compileLitmus, type LitmusProgram, runLitmus } from '@hmm/explore';
import { devicesByClient } from '@hmm/explore/internal';
import { HMM_2016_BEHAVIOURS } from '@hmm/hmm-2016';
import { litmusDevices } from '@hmm/test-device';
import { parseProgram } from '@hmm/workload';
import { describe, expect, test } from 'vitest';

const LIBRARY = fileURLToPath(new URL('../../../packages/hmm-2016/litmus/', import.meta.url));
const PAGE = fileURLToPath(new URL('../../../docs/history.md', import.meta.url));
const devices = devicesByClient(allDrivers(), litmusDevices);

/** Settings of the announced device; others have none of them. */
const OWN = new Set(['invariants', 'client', 'window', 'moves', 'look']);

/** A cell of the page's table: what one version does in one test. */
interface Verdict {
  readonly name: string;
  readonly bounded: boolean;
  readonly mend: string;
  readonly version: string;
  readonly says: string;
}

const VERSIONS = ['v13', '4.14', '6.12', '7.3'];

function verdictsOf(page: string): Verdict[] {
  const rows = page
    .split('\n')
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
    .filter((cells) => cells.length === 3 + VERSIONS.length);
  return rows.slice(2).flatMap(([test = '', , mend = '', ...cells]) =>
    cells.flatMap((says, i) => {
      const name = test.replace(/ \*$/, '');
      return says === ''
        ? []
        : [{ name, bounded: test.endsWith('*'), mend, version: VERSIONS[i] ?? '', says }];
    }),
  );
}

function program(name: string): LitmusProgram {
  const parsed = parseProgram(readFileSync(`${LIBRARY}${name}.litmus`, 'utf8'), name);
  if (!parsed.ok) throw new Error(parsed.errors.map(({ message }) => message).join('\n'));
  const compiled = compileLitmus(parsed.program, name);
  if (!compiled.ok) throw new Error(compiled.errors.map(({ message }) => message).join('\n'));
  return compiled.program;
}

/** The test under one version of HMM. */
function under({ name, mend, version }: Verdict): LitmusProgram {
  const each = program(name);
  const today = version !== 'v13' && version !== '4.14';
  const settings = today
    ? [...[...each.settings].filter(([key]) => !OWN.has(key)), ['corrected', '1'], ['release', version]]
    : [...each.settings, ['client', `hmm-${version}`], ['mend', mend]];
  return { ...each, settings: new Map(settings.map(([key = '', value = '']) => [key, value])) };
}

const verdicts = verdictsOf(readFileSync(PAGE, 'utf8'));

describe('ten years of HMM, as docs/history.md has them', () => {
  test.each(verdicts.map((each) => [each.name, each.version, each.mend, each.says, each] as const))(
    '%s under %s (mended: %s): %s',
    (_name, _version, _mend, says, verdict) => {
      const options = verdict.bounded ? ({ strategy: 'bounded', bound: 1 } as const) : {};
      const { report } = runLitmus(under(verdict), devices, { ...options, minimiseExecutions: 0 });
      expect(report.verdict === 'ok' ? 'holds' : report.counterexample?.invariant).toBe(says);
    },
  );

  test('each litmus test is in the table, on both versions of then and on those of today', () => {
    const files = readdirSync(LIBRARY).map((name) => name.replace('.litmus', ''));
    for (const name of files) {
      const versions = new Set(verdicts.filter((each) => each.name === name).map(({ version }) => version));
      expect([name, ...VERSIONS.filter((version) => versions.has(version))]).toEqual([name, ...VERSIONS]);
    }
  });

  test('what is mended are defects', () => {
    const bugs = Object.entries(HMM_2016_BEHAVIOURS).flatMap(([name, { bug }]) => (bug ? [name] : []));
    for (const { mend } of verdicts) {
      for (const name of mend.split(',')) if (name !== '') expect(bugs).toContain(name);
    }
  });
});
