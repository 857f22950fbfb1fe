import { type LitmusCounterexample } from '@hmm/explore';
import { CLIENT_SETTING } from '@hmm/explore/internal';
import type { GivenSettings, LitmusSource } from './input.js';

/** Where the tests of an application get their devices from: a package, and the factory that it exports. */
export interface DevicesImport {
  readonly from: string;
  readonly name: string;
  /** The list of drivers that a test may name by `set client = …`: a package, and the function that returns them. */
  readonly drivers?: { readonly from: string; readonly name: string };
}

/** A vitest file that runs one schedule, with what `--set` gave the test, and finds broken what it breaks. */
export function vitestFile(
  { file, text, program, set }: LitmusSource,
  { replay, invariant }: LitmusCounterexample,
  devices: DevicesImport,
): string {
  const literal = text.replace(/[\\`$]/g, '\\$&');
  const byClient = devices.drivers !== undefined && program.settings.has(CLIENT_SETTING);
  const flags = [...set.parameters, ...set.settings].map(([key, value]) => ` --set ${key}=${value}`).join('');
  return `import { compileLitmus, DEFAULT_MAX_STEPS, ${byClient ? 'devicesByClient, ' : ''}formatStory, litmusModel, tell } from '@hmm/explore';
import { parseProgram } from '@hmm/workload';
import { ${devices.name} } from '${devices.from}';
${importsOf(devices, byClient)}import { expect, test } from 'vitest';

const LITMUS = \`${literal}\`;

/** Who runs at each step, as \`hmm litmus ${file}${flags} --replay\` takes it. */
const REPLAY = '${replay}';
${givenOf(set)}
test('${program.name}: one schedule breaks ${invariant}', () => {
  const parsed = parseProgram(LITMUS, '${program.name}.litmus');
  if (!parsed.ok) throw new Error(parsed.errors.map(({ message }) => message).join());
  const compiled = compileLitmus(parsed.program, '${program.name}.litmus'${set.parameters.size === 0 ? '' : ', PARAMETERS'});
  if (!compiled.ok) throw new Error(compiled.errors.map(({ message }) => message).join());
${programOf(set.settings)}
  const model = litmusModel(program, ${byClient ? `devicesByClient(${devices.drivers.name}(), ${devices.name})` : devices.name});
  const story = tell(model, REPLAY, DEFAULT_MAX_STEPS);
  expect(story.violation?.invariant, formatStory(story)).toBe('${invariant}');
});
`;
}

/** The import of the drivers where the test names one. */
function importsOf({ drivers }: DevicesImport, byClient: boolean): string {
  return byClient && drivers !== undefined ? `import { ${drivers.name} } from '${drivers.from}';\n` : '';
}

/** What `--set` gave, as constants of the test; nothing where that is nothing. */
function givenOf({ parameters, settings }: GivenSettings): string {
  return (
    mapText('PARAMETERS', 'number', parameters, 'Parameters that the test was run with.') +
    mapText('SET', 'string', settings, 'Settings that the test was run with, besides those of its file.')
  );
}

function mapText(
  name: string,
  type: string,
  values: ReadonlyMap<string, string | number>,
  says: string,
): string {
  if (values.size === 0) return '';
  const pairs = [...values].map((pair) => `  [${pair.map((word) => JSON.stringify(word)).join(', ')}],\n`);
  return `
/** ${says} */
const ${name}: ReadonlyMap<string, ${type}> = new Map([
${pairs.join('')}]);
`;
}

/** The statements that make `program`. */
function programOf(set: ReadonlyMap<string, string>): string {
  if (set.size === 0) return '  const { program } = compiled;';
  return `  const settings = new Map([...compiled.program.settings, ...SET]);
  const program = { ...compiled.program, settings };`;
}
