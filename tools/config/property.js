// fast-check with one seed for all property tests of a process: HMM_SEED where it is set, else a new one each time. A file says
// which it was, so that a failure, or a hang, can be had again. A test that gives a seed of its own keeps it.
import { env } from 'node:process';
import fc from 'fast-check';

const given = env['HMM_SEED'];
const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
if (!Number.isInteger(seed)) throw new Error(`HMM_SEED is to be an integer, not ${given}`);
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed });
console.info(`property tests: HMM_SEED=${seed}`);

export { fc };
