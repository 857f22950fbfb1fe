import { compileLitmus, type MirrorDevicesFactory, runLitmus } from '@hmm/explore';
import { HmmError, type Release } from '@hmm/kernel';
import { suiteProgram } from '../program-runner.js';
import type { SuiteClient, SuiteTest, Verdict } from '../suite.js';

/** Executions after which a search that has found nothing passes. */
const MOST = 3000;

/** A small concurrent test: its initial state, two columns, what is read in the end, and what must hold in every interleaving. */
interface Small {
  readonly name: string;
  readonly start: string;
  readonly columns: readonly (readonly [string, string])[];
  readonly condition: string;
}

const WRITTEN = 'malloc a 1pages cpu write a = 5';
const UNTOUCHED = 'malloc a 1pages';
/** The GPU stores while the CPU polls the fence in the same page. */
const RACE = [['gpu write a = 9 byte 152 rc e', 'cpu read a byte 144 -> f']] as const;
const STORED = 'final { cpu read a byte 152 -> x } forall e == 0 /\\ x == 9';

const SMALL: readonly Small[] = [
  { name: 'once-malloc-race', start: WRITTEN, columns: RACE, condition: STORED },
  { name: 'once-malloc-race-nomemset', start: UNTOUCHED, columns: RACE, condition: STORED },
  { name: 'once-mmap-race', start: 'shared a 1pages cpu write a = 5', columns: RACE, condition: STORED },
  {
    name: 'once-malloc-fork-read',
    start: WRITTEN,
    columns: [
      ['gpu write a = 9 byte 152 rc e', 'fork c'],
      ['', 'in c { cpu read a byte 152 -> y }'],
    ],
    condition: `final { cpu read a byte 152 -> x } forall e == 0 /\\ x == 9 /\\ (y == 9 \\/ y == 0)`,
  },
  {
    name: 'once-free-race',
    start: WRITTEN,
    columns: [['gpu write a = 9 byte 152 rc e', 'munmap a rc m']],
    condition: 'forall m == 0',
  },
  {
    name: 'threads-shared-vm-once-malloc',
    start: WRITTEN,
    columns: [['gpu write a = 9 byte 152 rc e', 'gpu write a = 8 byte 8 rc g']],
    condition: `final { cpu read a byte 152 -> x cpu read a byte 8 -> y } forall e == 0 /\\ g == 0 /\\ x == 9 /\\ y == 8`,
  },
];

/** The small concurrent tests, in every interleaving, by the devices of `devices`. */
export function exploredTests(
  client: SuiteClient,
  release: Release,
  devices: MirrorDevicesFactory,
): SuiteTest[] {
  return SMALL.map((small) => ({
    name: `explored-${small.name}`,
    run: () => explore(small, client, release, devices),
  }));
}

function explore(
  small: Small,
  client: SuiteClient,
  release: Release,
  devices: MirrorDevicesFactory,
): Verdict {
  const found = verdictWith(small, client, release, devices, client.settings);
  if (found.result !== 'failed' || client.defects === undefined) return found;
  const { names, mended, link } = client.defects;
  const passes = (without: readonly string[]): boolean =>
    verdictWith(small, client, release, devices, mended(without)).result === 'passed';
  if (!passes(names)) return found;
  const name = names.find((each) => passes([each])) ?? 'several';
  return { ...found, defect: { name, link: link(name) } };
}

function verdictWith(
  { name, start, columns, condition }: Small,
  { factory, gpu }: SuiteClient,
  release: Release,
  devices: MirrorDevicesFactory,
  settings: ReadonlyMap<string, string>,
): Verdict {
  const rows = columns.map(([left, right]) => ` ${left} | ${right} ;`).join('\n');
  const text = `litmus ${name} "In every interleaving."
set client = ${factory.name}
${start}
open D0
 T0 | T1 ;
${rows}
${condition}`;
  const compiled = compileLitmus(suiteProgram(name, text), name);
  if (!compiled.ok)
    throw new HmmError('SUITE_TEXT', compiled.errors.map(({ message }) => message).join('; '));
  const chosen = new Map([...compiled.program.settings, ['gpu', gpu], ['release', release], ...settings]);
  const { report } = runLitmus({ ...compiled.program, settings: chosen }, devices, { maxExecutions: MOST });
  const { counterexample } = report;
  if (counterexample === null) return { result: 'passed' };
  return { result: 'failed', reason: `${counterexample.invariant}: ${counterexample.detail}` };
}
