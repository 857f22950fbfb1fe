import type { LitmusCounterexample } from '@hmm/explore';
import type { LitmusSource } from './input.js';

/** Where the tests of an application get their devices from: a package, and the factory that it exports. */
export interface DevicesImport {
  readonly from: string;
  readonly name: string;
}

/** A vitest file that runs one schedule and finds broken what it breaks. */
export function vitestFile(
  { file, text, program }: LitmusSource,
  { replay, invariant }: LitmusCounterexample,
  devices: DevicesImport,
): string {
  const literal = text.replace(/[\\`$]/g, '\\$&');
  return `import { compileLitmus, DEFAULT_MAX_STEPS, formatStory, litmusModel, tell } from '@hmm/explore';
import { parseProgram } from '@hmm/workload';
import { ${devices.name} } from '${devices.from}';
import { expect, test } from 'vitest';

const LITMUS = \`${literal}\`;

/** Who runs at each step, as \`hmm litmus ${file} --replay\` takes it. */
const REPLAY = '${replay}';

test('${program.name}: one schedule breaks ${invariant}', () => {
  const parsed = parseProgram(LITMUS, '${program.name}.litmus');
  if (!parsed.ok) throw new Error(parsed.errors.map(({ message }) => message).join());
  const compiled = compileLitmus(parsed.program, '${program.name}.litmus');
  if (!compiled.ok) throw new Error(compiled.errors.map(({ message }) => message).join());
  const model = litmusModel(compiled.program, ${devices.name});
  const story = tell(model, REPLAY, DEFAULT_MAX_STEPS);
  expect(story.violation?.invariant, formatStory(story)).toBe('${invariant}');
});
`;
}
