// Cell 1: the question. What does the first touch of managed memory by the GPU cost, by size, on two generations?
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { simulate } from '@hmm/model';

const program = 'let size = 64KiB managed a size cpu write a = 1 gpu read a';
const sizes = [64, 256, 1024, 4096].map((kib) => kib * 1024);
const gpus = ['h100', 'p100'];

// Cell 2: the sweep.
const time = (gpu, size) => {
  const run = simulate(program, { client: 'nvidia', gpu, parameters: { size } });
  assert.equal(run.outcome, 'finished', JSON.stringify(run.problems ?? run.message));
  return run.report.time_ns / 1000;
};
const curves = gpus.map((gpu) => ({ gpu, points: sizes.map((size) => [size / 1024, time(gpu, size)]) }));
console.table(
  Object.fromEntries(
    sizes.map((size, i) => [
      `${size / 1024} KiB`,
      Object.fromEntries(curves.map(({ gpu, points }) => [gpu, Math.round(points[i][1])])),
    ]),
  ),
);

// Cell 3: the plot, both axes logarithmic.
const [width, height, margin] = [640, 360, 48];
const all = curves.flatMap(({ points }) => points.map(([, us]) => us));
const scale = (value, from, to, start, end) =>
  start + ((Math.log(value) - Math.log(from)) / (Math.log(to) - Math.log(from))) * (end - start);
const x = (kib) => scale(kib, sizes[0] / 1024, sizes.at(-1) / 1024, margin, width - margin).toFixed(1);
const y = (us) => scale(us, Math.min(...all), Math.max(...all), height - margin, margin).toFixed(1);
const lines = curves.map(({ gpu, points }, i) => {
  const colour = ['#1b6e53', '#a03c1b'][i];
  const path = points.map(([kib, us]) => `${x(kib)},${y(us)}`).join(' ');
  const [kib, us] = points.at(-1);
  return `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${path}"/><text x="${x(kib)}" y="${y(us)}" fill="${colour}">${gpu}</text>`;
});
const ticks = sizes.map(
  (size) => `<text x="${x(size / 1024)}" y="${height - 20}" text-anchor="middle">${size / 1024}</text>`,
);
const title = `<text x="${margin}" y="24">GPU's first touch of managed memory: us by KiB (${Math.min(...all).toFixed(0)} to ${Math.max(...all).toFixed(0)} us)</text>`;
writeFileSync(
  'sweep.svg',
  `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="12">${title}${lines.join('')}${ticks.join('')}</svg>\n`,
);
console.log('sweep.svg is written');

for (const { points } of curves) assert.ok(points.at(-1)[1] > points[0][1], 'more memory takes longer');
