import { formatProgram, parseProgram, type ProgramFile } from '@hmm/workload';
import {
  lastLibrary,
  LITMUS_FOLDER,
  litmusChecksum,
  litmusNames,
  type LitmusRow,
  type LitmusRun,
} from '../litmus-run.js';
import { litmusPicture } from '../litmus-picture.js';
import { fence, markdownTable, type Page, plain } from '../page.js';
import { repositoryText } from '../repository.js';

/** Families of tests, by the first words of their names, with what they are about. */
const FAMILIES: readonly (readonly [prefix: RegExp, name: string, title: string])[] = [
  [/^nouveau-/, 'nouveau', 'nouveau'],
  [/^(?:nvidia|uvm)-/, 'nvidia', 'NVIDIA’s driver'],
  [/^mlx5-/, 'mlx5', 'mlx5'],
  [/^rxe-/, 'rxe', 'soft-RoCE'],
  [/^(?:todev|tosys|home|migrate|move|huge)/, 'migration', 'Migration, there and back'],
  [/^exclusive-/, 'exclusive', 'Device-exclusive access'],
  [/^(?:fault|dma|hole|first|snap|read|write)/, 'faults', 'Faults, the sequence protocol, DMA'],
  [/./, 'others', 'Processes, system calls, contents'],
];

interface Test {
  readonly name: string;
  readonly text: string;
  readonly program: ProgramFile;
  readonly row: LitmusRow | undefined;
}

/** The library of litmus tests: a page a family, each test with its picture, its verdict and its outcomes. */
export function litmusPages(): Page[] {
  const run = lastLibrary();
  const tests = litmusNames().map((name) => readTest(name, run));
  const families = FAMILIES.map(([, name, title], at) => ({
    name,
    title,
    tests: tests.filter((test) => FAMILIES.findIndex(([prefix]) => prefix.test(test.name)) === at),
  })).filter((family) => family.tests.length > 0);
  const rows = families.map(({ name, title, tests: members }) => [
    `[${title}](./litmus/${name}.md)`,
    String(members.length),
    String(members.filter(({ row }) => row?.verdict === 'ok').length),
    String(members.reduce((sum, { row }) => sum + (row?.schedules ?? 0), 0)),
  ]);
  const text = [
    '# Litmus tests',
    'Small concurrent programs, each with a question about its outcomes. The explorer runs every interleaving that can be told apart, and ' +
      'checks [the invariants](../invariants.md) after each step. A verdict is *ok* where the condition holds and no invariant breaks.',
    `The verdicts are those of a run on ${run.date} (\`hmm litmus ${LITMUS_FOLDER} --json\`): ${run.tests.length} tests, ` +
      `${run.tests.filter(({ verdict }) => verdict === 'ok').length} of them ok, ${run.tests.reduce((sum, { schedules }) => sum + schedules, 0)} executions. ` +
      'Memory is sequentially consistent within a step: the order of single memory accesses is not explored.',
    markdownTable(['family', 'tests:', 'ok:', 'executions:'], rows),
  ].join('\n\n');
  return [
    { path: 'reference/litmus.md', text: `${text}\n` },
    ...families.map((family) => familyPage(family, run)),
  ];
}

function readTest(name: string, run: LitmusRun): Test {
  const file = `${LITMUS_FOLDER}/${name}.litmus`;
  const text = repositoryText(file);
  const parsed = parseProgram(text, file);
  if (!parsed.ok) throw new Error(`${file} is no litmus test`);
  return {
    name,
    text,
    program: parsed.program,
    // A verdict is of the text that was explored.
    row: run.tests.find((test) => test.name === parsed.program.name && test.sha256 === litmusChecksum(name)),
  };
}

function familyPage(family: { name: string; title: string; tests: readonly Test[] }, run: LitmusRun): Page {
  const text = [
    `# Litmus tests: ${family.title}`,
    `Verdicts of ${run.date}. [All families](../litmus.md)`,
    ...family.tests.flatMap(testText),
  ].join('\n\n');
  return { path: `reference/litmus/${family.name}.md`, text: `${text}\n` };
}

function testText({ name, text, program, row }: Test): string[] {
  return [
    `## ${name}`,
    plain(program.doc),
    litmusPicture(program, conditionOf(program)),
    verdictOf(row),
    ...outcomesOf(row),
    fence('litmus', text),
  ];
}

function verdictOf(row: LitmusRow | undefined): string {
  return row === undefined
    ? '**Verdict**: the test is new, or was changed, since the last run.'
    : `**Verdict**: ${row.verdict}, in ${row.schedules} executions that can be told apart.`;
}

function outcomesOf(row: LitmusRow | undefined): string[] {
  if (row === undefined || row.outcomes.length === 0) return [];
  const most = 24;
  const shown = row.outcomes.slice(0, most);
  const rest = row.outcomes.length - shown.length;
  const list = shown.join('\n') + (rest === 0 ? '' : `\n… and ${rest} more`);
  return [
    `::: details Its ${row.outcomes.length === 1 ? 'outcome' : `${row.outcomes.length} outcomes`}\n${fence('text', list)}\n:::`,
  ];
}

/** The last line of the test, as the formatter writes it. */
function conditionOf(program: ProgramFile): string {
  if (program.condition === undefined) return 'no condition';
  const text = formatProgram(program).trimEnd();
  const at = Math.max(...['exists', 'forall', 'never'].map((word) => text.lastIndexOf(`\n${word} `)));
  return text.slice(at + 1).replace(/\s+/g, ' ');
}
