import { type Behaviour, type Release, RELEASES } from '@hmm/kernel';
import type { Proof } from './prove.js';
import { SOURCES } from './sources.js';
import { TABLES } from './tables.js';

const INTRODUCTION = `# What releases of Linux differ in

This page is generated from the tables of behaviours (\`packages/kernel/src/core-behaviours.ts\` and the drivers' own) by
\`pnpm releases:prove --write\`. A machine follows one release (\`--release 7.3\`); \`--set flip=NAME\` turns one behaviour round, which
mends it where it is a defect.

Linux 6.12 and 7.3 were recorded on real kernels. 6.1 and 6.19 are held by no recording: each row says where in their sources it was
looked up, or that it could not be decided by reading. Besides these rows, 6.1 may differ from 6.12 in what nobody has looked for.
`;

/** The text of docs/releases.md. */
export function releasesPage(proofs: readonly Proof[]): string {
  const parts = [INTRODUCTION];
  for (const { title, rows } of TABLES) {
    parts.push(`## ${title}\n`);
    for (const [name, row] of Object.entries(rows)) parts.push(entry(name, row, proofs));
  }
  parts.push(between());
  parts.push(unproven(proofs));
  return `${parts.join('\n').trimEnd()}\n`;
}

function entry(name: string, row: Behaviour, proofs: readonly Proof[]): string {
  const lines = [
    `### ${name}`,
    '',
    `${row.bug ? 'A defect. ' : ''}${row.shows}`,
    '',
    `- In ${row.releases.join(', ')}; \`${row.kernel}\`.`,
  ];
  for (const release of ['6.1', '6.19'] as const) {
    const source = SOURCES[name]?.[release];
    lines.push(
      source === undefined ? `- Not looked up on ${release}.` : `- Looked up on ${release}: ${source}.`,
    );
  }
  for (const { behaviour, release, by } of proofs)
    if (behaviour === name && by !== null) lines.push(`- Proven on ${release}: ${by}.`);
  return `${lines.join('\n')}\n`;
}

/** What changes from each release to the next. */
function between(): string {
  const parts = ['## From one release to the next\n'];
  for (let i = 1; i < RELEASES.length; i++) {
    const [before, after] = [RELEASES[i - 1], RELEASES[i]];
    if (before === undefined || after === undefined) continue;
    const changed = TABLES.flatMap(({ rows }) =>
      Object.entries(rows).flatMap(([name, row]) => change(name, row, before, after)),
    );
    parts.push(`### ${before} to ${after}\n`);
    parts.push(changed.length === 0 ? 'Nothing that is modelled.\n' : `${changed.join('\n')}\n`);
  }
  return parts.join('\n');
}

function change(name: string, row: Behaviour, before: Release, after: Release): string[] {
  const [had, has] = [row.releases.includes(before), row.releases.includes(after)];
  return had === has ? [] : [`- ${has ? 'new' : 'gone'}: ${name}`];
}

function unproven(proofs: readonly Proof[]): string {
  const names = TABLES.flatMap(({ rows }) => Object.keys(rows)).filter(
    (name) => !proofs.some(({ behaviour, by }) => behaviour === name && by !== null),
  );
  const text =
    names.length === 0
      ? 'Every behaviour is proven on at least one release.'
      : `Nothing recorded, and no self-test, fails when these are turned round: ${names.join(', ')}.`;
  return `## Not proven\n\n${text}\n`;
}
