import type { ReportCase } from './case.js';
import { gainOf, type ReportedRun } from './run.js';

/** A page for people with a problem: each report with what is seen, what helps and by how much, and how to see it here. */
export function reportsPage(
  reports: readonly { readonly report: ReportCase; readonly run: ReportedRun }[],
): string {
  return `${HEAD}${reports.map(({ report, run }) => section(report, run)).join('\n')}`;
}

const HEAD = `# Does this look like your problem?

What people report of HMM, unified memory and memory registered on demand, as programs of the model. What helps was simulated: each program ran as it was reported and with the advice, and the gain is that of the whole program in modelled time. This page is written by a run of them all (\`pnpm exec vitest run test/reports.test.ts -u\` in \`apps/compare\`).

`;

function section(
  { advice, links, name, path, planted, program, seen }: ReportCase,
  run: ReportedRun,
): string {
  const litmus = program.kind === 'litmus';
  const command = litmus ? `hmm litmus apps/compare/reports/${name}.litmus` : `hmm run ${name}`;
  const file = path.endsWith('.litmus') ? `${name}.litmus` : `${name}.hmm`;
  const lines = [
    `- What people see: ${seen}`,
    ...(advice === undefined ? [] : [`- What helps: ${advice} (${helps(run)}).`]),
    ...(planted === undefined
      ? []
      : [`- The bug itself: ${planted} in the catalogue of those that can be planted.`]),
    `- Here: \`${command}\`${advice === undefined ? '' : `, and \`${command} --set advised=1\``} ([text](../apps/compare/reports/${file}))`,
    `- Reported: ${links.map((link) => `<${link}>`).join(', ')}`,
  ];
  return `## ${name}\n\n${program.doc}\n\n${lines.join('\n')}\n`;
}

function helps({ advice }: ReportedRun): string {
  const gain = gainOf(advice);
  return gain === 'works'
    ? 'it works where the program as reported does not, or moves less'
    : `${gain} as fast`;
}
