import { GOLDEN_FILES } from '@hmm/golden';
import { formatCount } from '@hmm/report';
import { lastAgreement } from '../agreement.js';
import { lastLibrary } from '../litmus-run.js';
import { markdownTable, type Page, plain } from '../page.js';

/** What no recording holds: hearsay, from reading sources and papers. */
const UNRECORDED: readonly (readonly [what: string, instead: string])[] = [
  [
    'NVIDIA’s driver on malloc’d memory (HMM mode)',
    'read in the driver’s sources; the recorded machines run it, but their events tell of managed memory only',
  ],
  ['ATS: GPUs that walk the CPU’s page table (Grace)', 'read in the driver’s sources'],
  [
    'Eviction under NVIDIA’s driver',
    'read in the driver’s sources: the recorded programs fit in the card’s memory',
  ],
  ['mlx5', 'read in its sources: no such adapter was there to record'],
  [
    'A GPU with nouveau’s shared virtual memory',
    'the driver was recorded on a fake GPU; what a Pascal card does beside it is read',
  ],
  [
    'Linux 6.1 and 6.19',
    'each difference was looked up in their sources, as [the releases](./releases.md) say',
  ],
  ['HMM of 2016 (v13) and Linux 4.14', 'read in the patches and the sources'],
  [
    'GPUs other than the H100 and the H200',
    'data sheets, papers and estimates: [each figure](./reference/gpus.md) says which',
  ],
  [
    'Traces of programs',
    'what is read from a trace is somebody’s recording of their machine, and is not compared with the model unless a command says so',
  ],
];

/** What the models were checked against: each recording, the machine, and what the last run said. */
export function checkedPage(): Page {
  const run = lastAgreement();
  const library = lastLibrary();
  const rows = run.recordings.map(({ file, system, unit, judged, agreed, note }) => [
    `[\`${file}\`](./tools/golden.md)`,
    system,
    unit,
    formatCount(judged),
    formatCount(agreed),
    judged === 0 ? '' : `${((100 * agreed) / judged).toFixed(agreed === judged ? 0 : 2)} %`,
    plain(note),
  ]);
  const held = new Set(run.recordings.map(({ file }) => file));
  const rest = GOLDEN_FILES.filter((file) => !held.has(file));
  const text = [
    '# What it was checked against',
    `Recordings of real systems are part of the project, and they decide: where a source and a recording disagree, the recording is right. ` +
      `This page is written from the recordings and from a run of the model over all of them on ${run.date} (commit \`${run.commit}\`, Node ${run.node}). ` +
      'Each row can be had again by its command.',
    '## Agreement',
    markdownTable(['recording', 'real system', 'judged are', 'judged:', 'agree:', 'share:', 'besides'], rows),
    'An *operation* agrees when everything that was recorded of it is the same: result, values, faults, every announced invalidation. A *scenario* is exact when ' +
      'the sequence of the driver’s events is the same, event for event; only those are judged so whose recorded runs had one sequence. An *outcome* of a concurrent test agrees when ' +
      'the model allows it.',
    '## The commands',
    run.recordings.map(({ command }) => `- \`npm run ${command.replace(/^hmm/, 'hmm --')}\``).join('\n'),
    `Not compared by a command, but used: ${rest.map((file) => `\`${file}\``).join(', ')} (durations, costs, parameters in force and lists of scenarios).`,
    '## Machines and formats',
    '[The recordings’ page](./tools/golden.md) tells of each: the machine, the driver and kernel with their versions, how it was recorded, what each line means. ' +
      'Recordings of the same kinds, made with other seeds, are not in the repository and are replayed against the models too.',
    '## Every interleaving',
    `${library.tests.filter(({ verdict }) => verdict === 'ok').length} of ${library.tests.length} [litmus tests](./reference/litmus.md) held on ${library.date}, each in every interleaving. ` +
      '[What the model allows and a real kernel never showed](./races.md) is listed. [The invariants](./invariants.md) are checked after each step, ' +
      'and [planted faults](./mutation.md) say how much the tests see.',
    '## What has no recording',
    'Of these nobody can say that the model is right; it is what their sources or papers say.',
    markdownTable(['what', 'instead'], UNRECORDED),
    '[What is not modelled](./not-modelled.md) at all is another page.',
  ].join('\n\n');
  return { path: 'checked.md', text: `${text}\n` };
}
