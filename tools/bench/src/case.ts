import { measure } from './benchmark.js';
import { countCpuTime } from './cpu-time.js';
import { loadBenchmarks } from './discover.js';

/** `node case.js FILE NAME REPETITIONS [cpu]`: one benchmark in a process of its own; prints its result as JSON. */
const [, , file = '', name = '', repetitions = '', clock = ''] = process.argv;
if (clock === 'cpu') countCpuTime();
const benchmark = (await loadBenchmarks(file)).find((candidate) => candidate.name === name);
if (benchmark === undefined) throw new Error(`${file} has no benchmark "${name}"`);
process.stdout.write(JSON.stringify(measure(benchmark, Number(repetitions))));
