import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { prove, type Proof } from './prove.js';
import { releasesPage } from './releases-page.js';
import { allRows } from './tables.js';

// `pnpm releases:prove [--json] [--write] [NAME…]`: turns each behaviour round in each recorded release, and says what fails.

const PROOFS = fileURLToPath(new URL('../proofs.json', import.meta.url));
const PAGE = fileURLToPath(new URL('../../../docs/releases.md', import.meta.url));

process.exitCode = main(process.argv.slice(2));

function main(argv: string[]): number {
  const options = { json: { type: 'boolean' }, write: { type: 'boolean' } } as const;
  const { values, positionals } = parseArgs({ args: argv, options, allowPositionals: true });
  const names = [...allRows().keys()];
  const unknown = positionals.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    process.stderr.write(`error: no behaviour is called ${unknown} (behaviours: ${names.join(', ')})\n`);
    return 2;
  }
  // What is listed as not proven may stay so; what was proven may not stop being it.
  const known = readProofs();
  const listed = known.map(({ behaviour }) => behaviour).filter((name) => !isProven(name, known));
  const chosen = positionals.length > 0 ? positionals : names;
  const proofs: Proof[] = [];
  for (const name of chosen) {
    const found = prove(name);
    proofs.push(...found);
    if (values.json !== true)
      for (const { release, by } of found) process.stdout.write(`${release} ${name}: ${by ?? 'nothing'}\n`);
  }
  if (values.json === true) process.stdout.write(`${JSON.stringify({ version: 1, proofs })}\n`);
  if (values.write === true) write(proofs, chosen);
  const lost = chosen.filter((name) => !isProven(name, proofs) && !listed.includes(name));
  if (lost.length > 0)
    process.stderr.write(`error: nothing proves ${lost.join(', ')}, which ${PAGE} does not say\n`);
  return lost.length > 0 ? 1 : 0;
}

function isProven(name: string, proofs: readonly Proof[]): boolean {
  return proofs.some(({ behaviour, by }) => behaviour === name && by !== null);
}

function readProofs(): readonly Proof[] {
  return JSON.parse(readFileSync(PROOFS, 'utf8')) as Proof[];
}

/** Keeps the proofs of what was not looked at. */
function write(proofs: readonly Proof[], chosen: readonly string[]): void {
  const kept = readProofs().filter(
    ({ behaviour }) => !chosen.includes(behaviour) && allRows().has(behaviour),
  );
  const all = [...kept, ...proofs];
  writeFileSync(PROOFS, `${JSON.stringify(all, null, 2)}\n`);
  writeFileSync(PAGE, releasesPage(all));
}
