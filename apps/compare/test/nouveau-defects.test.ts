import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { allDrivers } from '@hmm/drivers';
import { compileLitmus, type LitmusProgram, type LitmusReport, runLitmus } from '@hmm/explore';
import { devicesByClient } from '@hmm/explore/internal';
import { type NouveauDefect, NOUVEAU_DEFECTS } from '@hmm/nouveau-model/internal';
import { litmusDevices } from '@hmm/test-device';
import { parseProgram } from '@hmm/workload';
import { describe, expect, test } from 'vitest';

const LIBRARY = fileURLToPath(new URL('../../../packages/explore/litmus/', import.meta.url));
const devices = devicesByClient(allDrivers(), litmusDevices);

/** An execution longer than that goes round in circles. */
const MAX_STEPS = 500;

/** How a defect shows in a litmus test of the library. */
interface Shown {
  readonly litmus: string;
  /** What the explorer finds broken. */
  readonly finds: string;
  /** Defects without which this one cannot show. */
  readonly with?: readonly NouveauDefect[];
}

/** Where these are mended what moves is unmapped before, and nothing is left to be stale. */
const UNCLEARED: readonly NouveauDefect[] = ['ownerIsDevice', 'keepsSourceMappings'];

/** For each defect of the README's table the tests by which the explorer finds it. */
const SHOWN: Readonly<Record<NouveauDefect, readonly Shown[]>> = {
  comparesLowBits: [{ litmus: 'faults-far-apart', finds: 'faultOrder' }],
  skipsBelow: [{ litmus: 'faults-far-apart', finds: 'faultPassedOver', with: ['comparesLowBits'] }],
  staleSkip: [
    { litmus: 'bad-address-far-away', finds: 'faultCancelled', with: ['comparesLowBits', 'skipsBelow'] },
  ],
  stickyAtomic: [{ litmus: 'atomic-beside-file-read', finds: 'forall' }],
  retriesOwnExclusive: [{ litmus: 'atomic-in-device-memory', finds: 'livelock' }],
  readOnlyVram: [{ litmus: 'write-after-fork', finds: 'livelock' }],
  mapsRefusedPages: [{ litmus: 'bind-of-shared-memory', finds: 'I5' }],
  keepsSourceMappings: [{ litmus: 'bind-vs-gpu-write', finds: 'forall', with: ['ownerIsDevice'] }],
  ignoresMapFailure: [{ litmus: 'bind-over-unmanaged', finds: 'I5', with: UNCLEARED }],
  orderAsPageShift: [{ litmus: 'bind-then-write', finds: 'I5', with: [...UNCLEARED, 'ignoresMapFailure'] }],
  leaksOnCopyError: [{ litmus: 'copy-home-fails', finds: 'forall' }],
  bindsForCaller: [{ litmus: 'bind-by-child', finds: 'forall' }],
  ownerIsDevice: [{ litmus: 'two-clients', finds: 'I5' }],
  keepsFreedSvmm: [
    { litmus: 'close-vs-cpu-read', finds: 'NOUVEAU_OOPS' },
    { litmus: 'child-closes-then-cpu-read', finds: 'NOUVEAU_OOPS' },
  ],
  neverMarksDirty: [{ litmus: 'write-after-madv-free', finds: 'forall' }],
  partialHugeClear: [{ litmus: 'huge-page-in-part', finds: 'I5' }],
  joinsPageSizes: [{ litmus: 'huge-page-beside-small', finds: 'NOUVEAU_OOPS' }],
};

function program(name: string): LitmusProgram {
  const parsed = parseProgram(readFileSync(`${LIBRARY}${name}.litmus`, 'utf8'), name);
  if (!parsed.ok) throw new Error(parsed.errors.map(({ message }) => message).join('\n'));
  const compiled = compileLitmus(parsed.program, name);
  if (!compiled.ok) throw new Error(compiled.errors.map(({ message }) => message).join('\n'));
  return compiled.program;
}

/** What the explorer says of a test of the library where the driver has exactly these defects. */
function explore(litmus: string, defects: readonly NouveauDefect[]): LitmusReport {
  const each = program(`nouveau-${litmus}`);
  const settings = new Map([...each.settings, ['defects', defects.join(',') || 'none']]);
  return runLitmus({ ...each, settings }, devices, { maxExecutions: 10_000, maxSteps: MAX_STEPS }).report;
}

describe("the explorer finds each of nouveau's defects by a test of the library", () => {
  const all = NOUVEAU_DEFECTS.flatMap((defect) =>
    SHOWN[defect].map((shown) => [defect, shown.litmus, shown] as const),
  );
  test.each(all)('%s: %s', (defect, litmus, { finds, with: needed = [] }) => {
    const found = explore(litmus, [...needed, defect]);
    expect(found.counterexample?.invariant).toBe(finds);
  });
  const needing = all.filter(([, , shown]) => shown.with !== undefined);
  test.each(needing)('%s, mended: %s', (_defect, litmus, { finds, with: needed = [] }) => {
    expect(explore(litmus, needed).counterexample?.invariant).not.toBe(finds);
  });
});
