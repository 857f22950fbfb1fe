import { ACCESS_ATOMIC, ACCESS_PREFETCH, ACCESS_READ, ACCESS_WRITE } from './access-batch.js';
import type { TraceEventName } from './event-batch.js';

/** One table of an Nsight Systems export and how its rows become observations. All expressions are SQL. */
export interface NsysTable {
  readonly table: string;
  /** Columns without which the table is not what its name says. */
  readonly required: readonly string[];
  /** SQL giving the observation's name, from the columns. */
  readonly name: string;
  /** Rows taken; all where absent. */
  readonly where?: string;
  /** Expressions by output column; `col(NAME)` is that column, or NULL where the file's version has none. */
  readonly end?: string;
  readonly address?: string;
  readonly bytes?: string;
  readonly value?: string;
  readonly flags?: string;
  readonly device?: string;
  readonly thread?: string;
  /** A column of ids into `StringIds`, or a text column. */
  readonly label?: string;
}

/** Enumeration tables of the file that name what its ids mean, and our numbers for the names. */
export interface NsysEnum {
  readonly table: string;
  /** Matched against the enum's `name` and `label`, in lower case. */
  readonly names: readonly (readonly [RegExp, number])[];
  /** Numbers by id, for files without the table. */
  readonly byId: readonly number[];
}

/** Access types of GPU faults, as `ACCESS_*`. */
export const ACCESS_TYPE_ENUM: NsysEnum = {
  table: 'ENUM_CUDA_UNIF_MEM_ACCESS_TYPE',
  names: [
    [/prefetch/, ACCESS_PREFETCH],
    [/atomic/, ACCESS_ATOMIC],
    [/write/, ACCESS_WRITE],
    [/read/, ACCESS_READ],
  ],
  byId: [ACCESS_READ, ACCESS_READ, ACCESS_WRITE, ACCESS_ATOMIC, ACCESS_PREFETCH],
};

/** Migration causes, as CUPTI numbers them: 1 user, 2 coherence, 3 prefetch, 4 eviction, 5 access counters. */
export const MIGRATION_ENUM: NsysEnum = {
  table: 'ENUM_CUDA_UNIF_MEM_MIGRATION',
  names: [
    [/access.?counter/, 5],
    [/evict/, 4],
    [/prefetch|speculative/, 3],
    [/coheren/, 2],
    [/user/, 1],
  ],
  byId: [0, 1, 2, 3, 4, 5],
};

/** copyKind ids of unified-memory copies, and of explicit ones. */
const COPY_NAMES: Readonly<Record<number, TraceEventName>> = {
  1: 'memcpy_htod',
  2: 'memcpy_dtoh',
  8: 'memcpy_dtod',
  10: 'memcpy_dtod',
  11: 'htod',
  12: 'dtoh',
  13: 'dtod',
};

const copyName =
  'CASE copyKind ' +
  Object.entries(COPY_NAMES)
    .map(([id, name]) => `WHEN ${id} THEN '${name}'`)
    .join(' ') +
  ' END';

/** The tables read. Tables without events do not exist in an export: each of these may be absent. */
export const NSYS_TABLES: readonly NsysTable[] = [
  {
    table: 'CUDA_UM_GPU_PAGE_FAULT_EVENTS',
    required: ['start', 'address', 'numberOfPageFaults', 'faultAccessType'],
    name: "'gpu_fault'",
    end: 'col(end)',
    address: 'address',
    value: 'numberOfPageFaults',
    flags: 'faultAccessType',
    device: 'col(deviceId)',
  },
  {
    table: 'CUDA_UM_CPU_PAGE_FAULT_EVENTS',
    required: ['start', 'address'],
    name: "'cpu_fault'",
    address: 'address',
    label: 'CpuInstruction',
  },
  {
    table: 'CUPTI_ACTIVITY_KIND_MEMCPY',
    required: ['start', 'end', 'bytes', 'copyKind'],
    name: copyName,
    where: `copyKind IN (${Object.keys(COPY_NAMES).join(', ')})`,
    end: 'col(end)',
    address: 'CASE WHEN copyKind > 10 THEN col(virtualAddress) END',
    bytes: 'bytes',
    flags: 'col(migrationCause)',
    device:
      'CASE WHEN copyKind IN (10, 13) THEN coalesce(col(dstDeviceId), col(deviceId)) ELSE col(deviceId) END',
    thread: 'col(streamId)',
  },
  {
    table: 'CUPTI_ACTIVITY_KIND_KERNEL',
    required: ['start', 'end'],
    name: "'kernel'",
    end: 'col(end)',
    device: 'col(deviceId)',
    thread: 'col(streamId)',
    label: 'shortName',
  },
  {
    table: 'CUDA_GPU_MEMORY_USAGE_EVENTS',
    required: ['start', 'address', 'bytes', 'memoryOperationType'],
    name: "CASE memoryOperationType WHEN 0 THEN 'alloc' WHEN 1 THEN 'free' END",
    where: 'memoryOperationType IN (0, 1)',
    address: 'address',
    bytes: 'bytes',
    device: 'col(deviceId)',
    label: 'name',
  },
];
