import { HMM_2016_BEHAVIOURS } from '@hmm/hmm-2016';
import type { Behaviour } from '@hmm/kernel';
import { CORE_BEHAVIOURS } from '@hmm/kernel/internal';
import { NOUVEAU_BEHAVIOURS } from '@hmm/nouveau-model/internal';
import { TEST_DEVICE_BEHAVIOURS } from '@hmm/test-device/internal';
import { fence, markdownTable, type Page, plain } from '../page.js';
import { inRepository, repositoryText } from '../repository.js';
import { readFinds, readRows } from './readme-tables.js';

const NOUVEAU_README = 'packages/nouveau-model/README.md';
const RXE_README = 'packages/rxe-model/README.md';

const INTRODUCTION = `# Defects of the real systems

What is wrong in the real kernel and its drivers, found by recording them or by reading them, and modelled as it is. Each can be mended
in the model by its name, and seen here by a command. This page is made of the tables of behaviours that the models run by; a
release is named where it has the defect. Recordings are of Linux 6.12 and 7.3; that 6.1 and 6.19 have a defect was read in their sources.`;

/** Defects of the kernel, its drivers and its test device: what, who is affected, how to see it. */
export function defectsPage(): Page {
  const parts = [
    INTRODUCTION,
    '## nouveau',
    ...nouveau(),
    '## The core of HMM and migration',
    'Any driver that uses it is affected.',
    ...table(CORE_BEHAVIOURS),
    '## The kernel’s HMM test device',
    'It is built for tests only (`CONFIG_TEST_HMM`): whoever can open `/dev/hmm_dmirror*` can cause them.',
    ...table(TEST_DEVICE_BEHAVIOURS),
    seeTestDevice(),
    '## soft-RoCE with on-demand paging',
    'In Linux 7.3, for whoever registers memory on demand on an `rxe` device. They are switched on together; [its page](../packages/rxe-model.md#defects-of-linux-73-as-switches) tells what was recorded.',
    markdownTable(
      ['defect', 'what happens'],
      readRows(repositoryText(RXE_README), 'switch').map(([name = '', what = '']) => [name, what]),
    ),
    'How to see the first one: this copies across a page boundary, from and to an odd place.',
    fence('hmm', repositoryText('docs/programs/odd-address.hmm')),
    fence('sh', 'npm run hmm -- run docs/programs/odd-address.hmm --client rxe --set defects=1'),
    '## HMM of 2016',
    'In the patches as posted (v13), in Linux 4.14, or in both: nobody is affected today. [Ten years](../history.md) tells why each went away.',
    markdownTable(
      ['defect', 'in', 'what happens', 'decided by'],
      Object.entries(HMM_2016_BEHAVIOURS)
        .filter(([, { bug }]) => bug)
        .map(([name, { versions, shows, source }]) => [
          `\`${name}\``,
          versions.join(', '),
          plain(shows),
          plain(source),
        ]),
    ),
  ];
  return { path: 'reference/defects.md', text: `${parts.join('\n\n')}\n` };
}

function nouveau(): string[] {
  const readme = repositoryText(NOUVEAU_README);
  const told = readRows(readme, 'defect');
  const finds = readFinds(readme);
  return Object.entries(NOUVEAU_BEHAVIOURS).flatMap(([name, row]: [string, Behaviour]) => {
    if (!row.bug) return [];
    const [, who = '', breaks = '', , recorded = ''] = told.find(([first]) => first === `\`${name}\``) ?? [];
    const find = finds.get(name);
    const command =
      find === undefined ? [] : ['To see it:', fence('sh', seeNouveau(find.test, [name, ...find.others]))];
    return [
      `### ${name}`,
      plain(row.shows),
      `- **Who is affected**: ${who}; Linux ${row.releases.join(', ')}.\n- **What it breaks**: ${breaks}.\n- **Decided by**: \`${row.kernel}\`.\n- **Seen**: ${recorded}.`,
      ...command,
    ];
  });
}

function seeNouveau(test: string, defects: readonly string[]): string {
  const file = `packages/explore/litmus/nouveau-${test}.litmus`;
  if (!inRepository(file)) throw new Error(`${NOUVEAU_README} names ${file}, which is not there`);
  return `npm run hmm -- litmus ${file} --set defects=${defects.join(',')}   # exit code 1`;
}

function table(rows: Readonly<Record<string, Behaviour>>): string[] {
  const wrong = Object.entries(rows).filter(([, { bug }]) => bug);
  return [
    markdownTable(
      ['defect', 'Linux', 'what happens', 'decided by'],
      wrong.map(([name, { releases, shows, kernel }]) => [
        `[\`${name}\`](../releases.md#${name.toLowerCase()})`,
        releases.join(', '),
        plain(shows),
        `\`${kernel}\``,
      ]),
    ),
  ];
}

function seeTestDevice(): string {
  return [
    'Besides these, its own races: one closes the device while a CPU fault is under way, in every interleaving; `corrected=1` mends it:',
    fence(
      'sh',
      'npm run hmm -- litmus packages/explore/litmus/close-vs-cpu-read.litmus --set corrected=0   # exit code 1',
    ),
  ].join('\n\n');
}
