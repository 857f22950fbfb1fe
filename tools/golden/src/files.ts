import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

/** The recordings, by path in this package. What each holds is in the README. */
export const GOLDEN_FILES = [
  'h100-uvm/link.jsonl',
  'h100-uvm/times-public.jsonl.gz',
  'h100-uvm/times-public2.jsonl.gz',
  'h100-uvm/uvm-params.txt',
  'h100-uvm/uvm-public.jsonl.gz',
  'h100-uvm/uvm-public2.jsonl.gz',
  'h200-parts/copies.jsonl.gz',
  'h200-parts/copies.txt',
  'h200-parts/fork-gup.jsonl.gz',
  'h200-parts/parts.jsonl.gz',
  'h200-parts/parts.txt',
  'h200x2-uvm/nopeers.jsonl.gz',
  'h200x2-uvm/peers.jsonl.gz',
  'linux-6.12/public.jsonl.gz',
  'linux-6.12/races.jsonl',
  'odp-7.3/public.jsonl.gz',
  'linux-7.3/more-1.jsonl.gz',
  'linux-7.3/public.jsonl.gz',
  'linux-7.3/races.jsonl',
  'nouveau-6.12/nvkm.jsonl.gz',
  'nouveau-6.12/public.jsonl.gz',
  'nouveau-7.3/public.jsonl.gz',
] as const;

/** One of {@link GOLDEN_FILES}. */
export type GoldenFile = (typeof GOLDEN_FILES)[number];

/** Absolute path of a recording. */
export function goldenPath(file: GoldenFile): string {
  return fileURLToPath(new URL(`../${file}`, import.meta.url));
}

/** A recording's whole text, unpacked: what the models' own parsers take. */
export function goldenText(file: GoldenFile): string {
  const bytes = readFileSync(goldenPath(file));
  return (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
}
