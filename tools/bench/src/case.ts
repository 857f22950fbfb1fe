import { measure } from './benchmark.js';
import { loadBenchmarks } from './discover.js';

/** `node case.js FILE NAME REPETITIONS`: one benchmark in a process of its own; prints its result as JSON. */
const [, , file = '', name = '', repetitions = ''] = process.argv;
const benchmark = (await loadBenchmarks(file)).find((candidate) => candidate.name === name);
if (benchmark === undefined) throw new Error(`${file} has no benchmark "${name}"`);
process.stdout.write(JSON.stringify(measure(benchmark, Number(repetitions))));
