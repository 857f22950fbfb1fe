import { workloadScript } from '@hmm/machine';
import { Streaming } from '@hmm/workload/patterns';
import { oneKernel, played, type Played } from './play.js';

/**
 * `node scale.js`: how time grows with accesses (over 1 GiB that stays on the device) and memory with touched pages (one
 * pass over more and more, 80 GiB of device memory). `node scale.js PAGES PASSES` plays one such case and prints what it took.
 *
 * @packageDocumentation
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const GIB_PAGES = 262_144;
const MIB = 2 ** 20;
const DEVICE_MIB = 81_920;

interface Case extends Played {
  readonly cpuSeconds: number;
  readonly bytes: number;
}

function measured(pages: number, passes: number): Case {
  const workload = oneKernel(pages, new Streaming({ pages, passes }));
  const before = process.memoryUsage().rss;
  const cpu = process.cpuUsage();
  const result = played(workloadScript(workload, 1), DEVICE_MIB);
  const { user, system } = process.cpuUsage(cpu);
  const bytes = Math.max(0, process.resourceUsage().maxRSS * 1024 - before);
  return { ...result, cpuSeconds: (user + system) / 1e6, bytes };
}

function row(pages: number, passes: number): string {
  const script = fileURLToPath(import.meta.url);
  const child = spawnSync(process.execPath, [script, String(pages), String(passes)], { encoding: 'utf8' });
  if (child.status !== 0)
    return `| ${pages / GIB_PAGES} | failed: ${child.stderr.trim().split('\n').at(-1)} |`;
  const { accesses, faults, movedPages, cpuSeconds, bytes } = JSON.parse(child.stdout) as Case;
  const cells = [
    `${pages / GIB_PAGES} GiB`,
    `${(accesses / 1e6).toFixed(0)} M`,
    `${(faults / 1e3).toFixed(0)} K`,
    `${(movedPages / 1e6).toFixed(1)} M`,
    cpuSeconds.toFixed(1),
    ((cpuSeconds * 1e9) / accesses).toFixed(0),
    (bytes / MIB).toFixed(0),
    (bytes / pages).toFixed(1),
  ];
  return `| ${cells.join(' | ')} |`;
}

const [, , pages, passes] = process.argv;
if (pages !== undefined && passes !== undefined) {
  process.stdout.write(JSON.stringify(measured(Number(pages), Number(passes))));
} else {
  console.log('| memory | accesses | faults | pages moved | CPU s | ns/access | MiB | bytes/page |');
  console.log('| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |');
  for (const times of [4, 40, 400, 4000]) console.log(row(GIB_PAGES, times));
  for (const gib of [4, 16, 64, 256, 1024]) console.log(row(gib * GIB_PAGES, 1));
}
