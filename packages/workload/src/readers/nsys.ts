/**
 * Nsight Systems SQLite exports: unified-memory faults, transfers, kernels and allocations as observations. An entry
 * point of its own, since it loads SQLite as WebAssembly.
 *
 * @packageDocumentation
 */
import { ACCESS_READ, NO_TIME } from './access-batch.js';
import { TRACE_EVENT_NAMES } from './event-batch.js';
import {
  ACCESS_TYPE_ENUM,
  MIGRATION_ENUM,
  NSYS_TABLES,
  type NsysEnum,
  type NsysTable,
} from './nsys-schema.js';
import { openSqlite, type SqlDatabase, type SqlValue } from './sqlite.js';
import type { TraceError, TraceErrorCode, TraceResult } from './trace-error.js';
import { TraceOutput, type TraceSink } from './trace-output.js';

export { openSqlite, type SqlDatabase, type SqlValue } from './sqlite.js';

/** How to read an export. */
export interface NsysOptions {
  /** The file's name, for messages. */
  readonly file?: string;
  /** Told of the name of each GPU that the export is of, as the driver gives it. */
  readonly onGpu?: (name: string) => void;
}

/** The largest export that {@link readNsysFile} takes, bytes: it stands in memory twice, as read and in WebAssembly. */
export const NSYS_MOST_BYTES = 2 ** 30;

/** What is wrong with an export of `bytes` bytes before any of it is read; undefined when it is not too large. */
export function nsysTooLarge(bytes: number, file: string): TraceError | undefined {
  if (bytes <= NSYS_MOST_BYTES) return undefined;
  const expected = `a database of at most ${NSYS_MOST_BYTES / 2 ** 30} GiB, since it is read as a whole`;
  return { code: 'TOO_LARGE', file, expected, found: `one of ${bytes} bytes` };
}

const EXPECTED =
  'an Nsight Systems export with CUDA_UM_GPU_PAGE_FAULT_EVENTS, CUDA_UM_CPU_PAGE_FAULT_EVENTS or CUPTI_ACTIVITY_KIND_MEMCPY';

/** The table of the GPUs of the recorded machine. */
const GPU_TABLE = 'TARGET_INFO_GPU';

/** Tables without which an export has nothing about unified memory. */
const ESSENTIAL: readonly string[] = NSYS_TABLES.slice(0, 3).map(({ table }) => table);

/** Ends the reading with a {@link TraceError}; never leaves this file. */
class SchemaFault extends Error {
  readonly code: TraceErrorCode;
  readonly expected: string;

  constructor(code: TraceErrorCode, expected: string, found: string) {
    super(found);
    this.code = code;
    this.expected = expected;
  }
}

const num = (value: SqlValue | undefined, otherwise: number): number =>
  typeof value === 'number' ? value : typeof value === 'bigint' ? Number(value) : otherwise;

const text = (value: SqlValue | undefined): string => (typeof value === 'string' ? value : '');

/** Base tables (no views, no virtual tables) and their columns. */
function schemaOf(db: SqlDatabase): Map<string, Set<string>> {
  const tables: string[] = [];
  db.each("SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE TABLE%'", ([name]) => {
    tables.push(text(name));
  });
  const schema = new Map<string, Set<string>>();
  const wanted = new Set([
    ...NSYS_TABLES.map(({ table }) => table),
    ACCESS_TYPE_ENUM.table,
    MIGRATION_ENUM.table,
    'StringIds',
    GPU_TABLE,
  ]);
  for (const table of tables.filter((name) => wanted.has(name))) {
    const columns = new Set<string>();
    db.each(`PRAGMA table_info("${table}")`, ([, name]) => {
      columns.add(text(name));
    });
    schema.set(table, columns);
  }
  if (!ESSENTIAL.some((table) => schema.has(table))) {
    const some = tables.slice(0, 5).join(', ');
    throw new SchemaFault('WRONG_SCHEMA', EXPECTED, tables.length === 0 ? 'no tables' : `tables ${some}`);
  }
  return schema;
}

/** The SELECT that turns one table's rows into the reader's columns. */
function selectOf(spec: NsysTable, source: number, schema: ReadonlyMap<string, ReadonlySet<string>>): string {
  const columns = schema.get(spec.table) ?? new Set<string>();
  for (const column of spec.required) {
    if (!columns.has(column)) {
      throw new SchemaFault('WRONG_SCHEMA', `${spec.table}.${column}`, `${spec.table} without it`);
    }
  }
  const sql = (expression: string | undefined): string =>
    (expression ?? 'NULL').replace(/col\((\w+)\)/g, (_, name: string) =>
      columns.has(name) ? `"${name}"` : 'NULL',
    );
  let label = 'NULL';
  if (spec.label !== undefined && columns.has(spec.label)) {
    const named = schema.has('StringIds')
      ? `(SELECT value FROM StringIds WHERE id = "${spec.label}")`
      : 'NULL';
    label = `CASE typeof("${spec.label}") WHEN 'text' THEN "${spec.label}" ELSE ${named} END`;
  }
  const address = sql(spec.address);
  const fields = [
    String(source),
    sql(spec.name),
    'start',
    sql(spec.end),
    `(${address}) >> 12 & ${2 ** 52 - 1}`,
    `(${address}) & 4095`,
    ...[spec.bytes, spec.value, spec.flags, spec.device, spec.thread].map(sql),
    label,
  ];
  return `SELECT ${fields.join(', ')} FROM "${spec.table}"${spec.where === undefined ? '' : ` WHERE ${spec.where}`}`;
}

/** Our number for each id of an enumeration: by the file's own names, else by the published ids. */
function enumNumbers(
  db: SqlDatabase,
  spec: NsysEnum,
  schema: ReadonlyMap<string, ReadonlySet<string>>,
): number[] {
  const numbers = [...spec.byId];
  const columns = schema.get(spec.table);
  if (columns?.has('id') !== true || !columns.has('name')) return numbers;
  const label = columns.has('label') ? 'label' : 'NULL';
  db.each(`SELECT id, name, ${label} FROM "${spec.table}"`, ([id, name, shown]) => {
    const words = `${text(name)} ${text(shown)}`.toLowerCase();
    const known = spec.names.find(([shape]) => shape.test(words));
    const index = num(id, -1);
    if (known !== undefined && index >= 0 && index < 1024) numbers[index] = known[1];
  });
  return numbers;
}

function readRows(db: SqlDatabase, out: TraceOutput, onGpu: NsysOptions['onGpu']): void {
  db.each('PRAGMA trusted_schema = OFF', () => undefined);
  const schema = schemaOf(db);
  if (onGpu !== undefined && schema.get(GPU_TABLE)?.has('name') === true)
    db.each(`SELECT name FROM "${GPU_TABLE}"`, ([name]) => {
      onGpu(text(name));
    });
  const access = enumNumbers(db, ACCESS_TYPE_ENUM, schema);
  const causes = enumNumbers(db, MIGRATION_ENUM, schema);
  const selects = NSYS_TABLES.flatMap((spec, i) =>
    schema.has(spec.table) ? [selectOf(spec, i, schema)] : [],
  );
  db.each(`${selects.join(' UNION ALL ')} ORDER BY 3`, (row) => {
    out.line++;
    const [source, nameText, start, end, page, offset, bytes, value, flags, device, thread, label] = row;
    const name = TRACE_EVENT_NAMES.find((known) => known === nameText);
    const time = num(start, NO_TIME);
    if (name === undefined || time < 0) {
      out.malformed(
        'a row with a start time and a known kind',
        `row ${out.line} of ${NSYS_TABLES[num(source, 0)]?.table ?? ''}`,
      );
      return;
    }
    const id = num(flags, 0);
    out.event({
      name,
      time,
      duration: end === null ? -1 : num(end, time) - time,
      page: num(page, -1),
      offset: num(offset, 0),
      bytes: num(bytes, 0),
      value: num(value, 0),
      flags: name.endsWith('_fault') ? (access[id] ?? ACCESS_READ) : (causes[id] ?? 0),
      agent: name === 'cpu_fault' ? 0 : 1 + Math.min(250, Math.max(0, num(device, 0))),
      thread: num(thread, 0),
      label: text(label),
    });
  });
}

/**
 * Reads an open database: every observation in the order of its start. `flags` of a fault is an `ACCESS_*` (unknown, so a
 * read, for CPU faults), of a migration its CUPTI cause; `value` of a GPU fault is its number of merged fault groups.
 * Errors are values: `WRONG_SCHEMA` names the missing table or column, `CORRUPT` what SQLite says.
 */
export function readNsys(db: SqlDatabase, sink: TraceSink, options: NsysOptions = {}): TraceResult {
  const file = options.file ?? 'trace';
  const out = new TraceOutput(sink, file);
  let error: TraceError | undefined;
  try {
    readRows(db, out, options.onGpu);
  } catch (thrown) {
    const found = thrown instanceof Error ? thrown.message : 'a failure of SQLite';
    const [code, expected] =
      thrown instanceof SchemaFault
        ? [thrown.code, thrown.expected]
        : (['CORRUPT', 'an SQLite database'] as const);
    error = { code, file, expected, found };
  }
  out.finish();
  error ??= out.error;
  const { accesses, events, skipped, firstMalformed } = out;
  const first = firstMalformed === undefined ? {} : { firstMalformed };
  const counts = { records: out.line, accesses, events, skipped, ...first };
  const summary = { format: 'nsys-sqlite', compression: 'none', bytesIn: 0, bytes: 0, ...counts } as const;
  return error === undefined ? { ok: true, summary } : { ok: false, error, summary };
}

/** {@link readNsys} on the bytes of a file. */
export async function readNsysFile(
  bytes: Uint8Array,
  sink: TraceSink,
  options: NsysOptions = {},
): Promise<TraceResult> {
  const { file = 'trace' } = options;
  const large = nsysTooLarge(bytes.length, file);
  if (large !== undefined) return unread(bytes.length, large);
  let db: SqlDatabase;
  try {
    db = await openSqlite(bytes);
  } catch (thrown) {
    const found = thrown instanceof Error ? thrown.message : 'a failure of SQLite';
    return unread(bytes.length, { code: 'CORRUPT', file, expected: 'an SQLite database', found });
  }
  try {
    const result = readNsys(db, sink, options);
    return { ...result, summary: { ...result.summary, bytesIn: bytes.length, bytes: bytes.length } };
  } finally {
    db.close();
  }
}

function unread(bytes: number, error: TraceError): TraceResult {
  const counts = { records: 0, accesses: 0, events: 0, skipped: {} };
  const summary = { format: 'nsys-sqlite', compression: 'none', bytesIn: bytes, bytes, ...counts } as const;
  return { ok: false, error, summary };
}
