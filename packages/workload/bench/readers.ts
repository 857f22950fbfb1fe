/**
 * Speed of the trace readers, beside a bare loop that only finds the line ends of the same bytes. Runs on `dist`.
 */
import { gzipSync } from 'fflate';
import { TraceReader, type TraceFormat } from '@hmm/workload/readers';

/** One measurement; `value` and `reference` are in `unit`. */
interface Benchmark {
  readonly name: string;
  readonly unit: string;
  readonly goal?: number;
  run(): { value: number; reference?: number };
}

const LINES = 1_000_000;
const CHUNK = 1 << 16;

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The share of instruction fetches is that of real lackey traces of small programs: three of four lines. */
function lackeyText(fetchesOfFour: number): Uint8Array {
  const lines: string[] = [];
  let state = 1;
  for (let i = 0; i < LINES; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const address = (0x1ffe000000 + (state >>> 4)).toString(16).padStart(8, '0');
    if (i % 4 < fetchesOfFour)
      lines.push(`I  ${(0x400000 + (i % 5000) * 4).toString(16).padStart(8, '0')},4`);
    else lines.push(` ${'LLSM'[i % 4] ?? 'L'} ${address},8`);
  }
  return bytesOf(lines.join('\n') + '\n');
}

function csvText(): Uint8Array {
  const rows = Array.from(
    { length: LINES / 4 },
    (_, i) =>
      `${i * 10},cpu,${i % 8},${i % 3 === 0 ? 'w' : 'r'},0x7f${(i * 4099).toString(16).padStart(10, '0')},8`,
  );
  return bytesOf(`time_ns,agent,thread,op,addr,size\n${rows.join('\n')}\n`);
}

function nvbitText(): Uint8Array {
  const lines = Array.from({ length: 20_000 }, (_, i) => {
    const lanes = Array.from(
      { length: 32 },
      (_, lane) => `0x00007f8a${(i * 128 + lane * 4).toString(16).padStart(8, '0')}`,
    );
    return `MEMTRACE: CTX 0x000055d0c9a3b2f0 - grid_launch_id 0 - CTA ${i % 512},0,0 - warp ${i % 4} - LDG.E - ${lanes.join(' ')} `;
  });
  return bytesOf(`${lines.join('\n')}\n`);
}

function read(bytes: Uint8Array, format: TraceFormat): number {
  const reader = new TraceReader({ accesses: () => undefined }, { format });
  for (let at = 0; at < bytes.length; at += CHUNK) reader.push(bytes.subarray(at, at + CHUNK));
  const { ok, summary } = reader.end();
  if (!ok || summary.skipped.malformed !== undefined) throw new Error(`the ${format} sample is not clean`);
  return summary.records;
}

/** The bare loop: looks at every byte once. */
function countLines(bytes: Uint8Array): number {
  let lines = 0;
  for (let i = 0; i < bytes.length; i++) if (bytes[i] === 10) lines++;
  return lines;
}

/** The median rate of five runs, lines a second. */
function rate(work: () => number): number {
  const rates = Array.from({ length: 5 }, () => {
    const start = performance.now();
    const lines = work();
    return (lines / (performance.now() - start)) * 1000;
  });
  return rates.sort((a, b) => a - b)[2] ?? 0;
}

function textBenchmark(name: string, make: () => Uint8Array, format: TraceFormat, goal?: number): Benchmark {
  return {
    name,
    unit: 'lines/s',
    ...(goal === undefined ? {} : { goal }),
    run: () => {
      const bytes = make();
      return { value: rate(() => read(bytes, format)), reference: rate(() => countLines(bytes)) };
    },
  };
}

export const benchmarks: readonly Benchmark[] = [
  textBenchmark('lackey, three of four lines instruction fetches', () => lackeyText(3), 'lackey', 3e6),
  textBenchmark('lackey, data accesses only', () => lackeyText(0), 'lackey', 3e6),
  {
    name: 'lackey through gzip',
    unit: 'lines/s',
    run: () => {
      const plain = lackeyText(3);
      const packed = gzipSync(plain);
      return { value: rate(() => read(packed, 'lackey')), reference: rate(() => countLines(plain)) };
    },
  },
  textBenchmark('CSV', csvText, 'csv'),
  textBenchmark('NVBit mem_trace', nvbitText, 'nvbit'),
];
