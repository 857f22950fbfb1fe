// `npm run uvm-fit`: fits the timing figures of NVIDIA's driver to the recordings that the shipped ones were fitted to, and shows
// both. Options are those of `hmm calibrate`.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from './bootstrap.mjs';

const golden = join(root, 'tools/golden/h100-uvm');
const recordings = join(root, 'tools/uvm-capture/recordings');
const captures = [
  [join(golden, 'uvm-public.jsonl.gz'), join(golden, 'times-public.jsonl.gz')],
  [join(golden, 'uvm-public2.jsonl.gz'), join(golden, 'times-public2.jsonl.gz')],
  [
    join(recordings, 'h100-580.159.04-mixtures.jsonl.gz'),
    join(recordings, 'h100-580.159.04-mixtures.times.jsonl.gz'),
  ],
];
const machine = 'H100 80GB HBM3 in a PCIe 5 guest, driver 580.159.04';
const files = captures.flatMap(([capture, times]) => [capture, '--times', times]);
const command = [join(root, 'tools/run/hmm.mjs'), 'calibrate', ...files, '--machine', machine];
const { status } = spawnSync(process.execPath, [...command, ...process.argv.slice(2)], { stdio: 'inherit' });
process.exitCode = status ?? 1;
