import { ACCEL_SIM } from './accel-sim.js';
import { CHUNK_TRACE } from './chunk-trace.js';
import { CSV } from './csv.js';
import { CUPTI_JSONL } from './cupti-jsonl.js';
import { FTRACE } from './ftrace.js';
import { LACKEY } from './lackey.js';
import { NVBIT } from './nvbit.js';
import { ORACLE_GENERAL } from './oracle-general.js';
import { PERF_SCRIPT } from './perf-script.js';

/** Every format that is read as a stream. The first whose line shape fits decides; a new format is a file and a line here. */
export const STREAM_FORMATS = [
  LACKEY,
  NVBIT,
  ACCEL_SIM,
  CUPTI_JSONL,
  FTRACE,
  PERF_SCRIPT,
  ORACLE_GENERAL,
  CHUNK_TRACE,
  CSV,
] as const;
