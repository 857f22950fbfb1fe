import sqlite3InitModule from '@sqlite.org/sqlite-wasm';
import { fc } from '@hmm/config/property';
import { describe, expect, it } from 'vitest';
import {
  ACCESS_READ,
  ACCESS_WRITE,
  AGENT_CPU,
  AGENT_GPU,
  type TraceResult,
} from '../../src/readers/index.js';
import { readNsysFile } from '../../src/readers/nsys.js';
import { collect, collector, fixture, type Collected } from './collect.js';

const schema = new TextDecoder().decode(fixture('nsys.sql'));

/** The bytes of a database made by `sql`. */
async function database(sql: string): Promise<Uint8Array> {
  const { oo1, capi } = await sqlite3InitModule();
  const db = new oo1.DB(':memory:');
  db.exec(sql);
  const bytes = capi.sqlite3_js_db_export(db);
  db.close();
  return bytes;
}

async function read(bytes: Uint8Array): Promise<{ result: TraceResult; events: Collected['events'] }> {
  const { sink, events } = collector();
  const result = await readNsysFile(bytes, sink, { file: 'report.sqlite' });
  return { result, events };
}

describe('an Nsight Systems export', () => {
  it('gives faults, transfers, kernels and allocations in the order of their start', async () => {
    const { result, events } = await read(await database(schema));
    expect(result).toMatchObject({ ok: true, summary: { format: 'nsys-sqlite', events: 10, records: 10 } });
    expect(events.map(({ name, time }) => [name, time])).toEqual([
      ['alloc', 1000],
      ['cpu_fault', 2000],
      ['cpu_fault', 2600],
      ['kernel', 5000],
      ['gpu_fault', 6000],
      ['htod', 20000],
      ['memcpy_htod', 27000],
      ['gpu_fault', 62000],
      ['htod', 70000],
      ['dtoh', 910000],
    ]);
    expect(events[0]).toMatchObject({
      page: 0x7f8000000,
      bytes: 2097152,
      label: 'managed',
      agent: AGENT_GPU,
    });
    expect(events[1]).toMatchObject({ page: 0x7f8000000, agent: AGENT_CPU, label: 'main', duration: -1 });
    expect(events[3]).toMatchObject({ label: 'vecAdd', duration: 900000, page: -1 });
    expect(events[4]).toMatchObject({ flags: ACCESS_READ, value: 3, duration: 55000 });
    expect(events[7]).toMatchObject({ flags: ACCESS_WRITE, page: 0x7f8000010 });
    expect(
      events.filter(({ name }) => name.endsWith('toh') || name === 'htod').map(({ flags }) => flags),
    ).toEqual([2, 3, 4]);
    expect(events[6]).toMatchObject({ page: -1, bytes: 4096 });
  });

  it("goes by the names of the file's own enumerations", async () => {
    const swapped = schema.replace(
      "(3, 'CUPTI_MIGRATION_CAUSE_PREFETCH', 'Prefetch')",
      "(3, 'X_ACCESS_COUNTERS', 'Access counters')",
    );
    const { events } = await read(await database(swapped));
    expect(events.filter(({ name }) => name === 'htod').map(({ flags }) => flags)).toEqual([2, 5]);
  });

  it('names the device of each kernel, fault and transfer, and the one that a copy between two goes to', async () => {
    const two = `${schema.replace(', migrationCause INTEGER', ', srcDeviceId INTEGER, dstDeviceId INTEGER, migrationCause INTEGER').replaceAll(/(\(\d+, \d+, 0, 1, 7, 0, 1, \d+, \d+)/g, '$1, NULL, NULL')}
INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES (920000, 990000, 1, 7, 1, 3, 2, 512);
INSERT INTO CUDA_UM_GPU_PAGE_FAULT_EVENTS VALUES (930000, 940000, 1, 1, 140187732541440, 1, 1);
INSERT INTO CUPTI_ACTIVITY_KIND_MEMCPY VALUES (935000, 938000, 0, 1, 7, 0, 1, 65536, 13, 0, 1, 2, 140187732541440);
INSERT INTO CUPTI_ACTIVITY_KIND_MEMCPY VALUES (995000, 996000, 0, 1, 7, 0, 1, 4096, 10, 0, 1, NULL, NULL);`;
    const { events } = await read(await database(two));
    expect(events.slice(-4).map(({ name, agent }) => [name, agent])).toEqual([
      ['kernel', AGENT_GPU + 1],
      ['gpu_fault', AGENT_GPU + 1],
      ['dtod', AGENT_GPU + 1],
      ['memcpy_dtod', AGENT_GPU + 1],
    ]);
    expect(events.filter(({ name }) => name === 'htod').map(({ agent }) => agent)).toEqual([
      AGENT_GPU,
      AGENT_GPU,
    ]);
  });

  it('of an older version lacks columns and tables, and is read all the same', async () => {
    const older = schema
      .split('\n')
      .filter((line) => !/ENUM_|KERNEL|USAGE|CPU_PAGE/.test(line))
      .join('\n')
      .replace(', migrationCause INTEGER, virtualAddress INTEGER', '')
      .replace(/(\(\d+, \d+, 0, 1, 7, 0, 1, \d+, \d+), \w+, \w+\)/g, '$1)');
    const { result, events } = await read(await database(older));
    expect(result.ok).toBe(true);
    expect(events.map(({ name, page }) => [name, page])).toEqual([
      ['gpu_fault', 0x7f8000000],
      ['htod', -1],
      ['memcpy_htod', -1],
      ['gpu_fault', 0x7f8000010],
      ['htod', -1],
      ['dtoh', -1],
    ]);
  });

  it('with the wrong schema says which table or column is missing', async () => {
    const other = await read(await database('CREATE TABLE bookmarks (url TEXT)'));
    expect(other.result).toMatchObject({
      ok: false,
      error: { code: 'WRONG_SCHEMA', found: 'tables bookmarks' },
    });
    const invented = await read(
      await database('CREATE TABLE CUDA_UM_GPU_PAGE_FAULT_EVENTS (start INT, address INT, accessCount INT)'),
    );
    expect(invented.result).toMatchObject({
      ok: false,
      error: { code: 'WRONG_SCHEMA', expected: 'CUDA_UM_GPU_PAGE_FAULT_EVENTS.numberOfPageFaults' },
    });
    const view =
      'CREATE VIEW CUPTI_ACTIVITY_KIND_MEMCPY AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n) SELECT x AS start FROM n';
    expect((await read(await database(view))).result).toMatchObject({
      ok: false,
      error: { code: 'WRONG_SCHEMA' },
    });
  });

  it('counts addresses of 2^57 and rows without a start', async () => {
    const more = `${schema}
      INSERT INTO CUDA_UM_CPU_PAGE_FAULT_EVENTS VALUES (3000, 1, ${2n ** 57n}, 0, 1, NULL, 0), (3001, 1, -4096, 0, 1, NULL, 0), ('soon', 1, 4096, 0, 1, NULL, 0);`;
    const { result } = await read(await database(more));
    expect(result.summary).toMatchObject({ events: 10, skipped: { 'address-range': 2, malformed: 1 } });
  });

  it('cut off or overwritten ends in one error', async () => {
    const bytes = await database(schema);
    const cut = await read(bytes.subarray(0, 5000));
    expect(cut.result).toMatchObject({ ok: false, error: { code: 'CORRUPT', file: 'report.sqlite' } });
    const noise = bytes.slice();
    for (let at = 4096; at < noise.length; at++) noise[at] = (at * 31) & 255;
    expect((await read(noise)).result).toMatchObject({ ok: false, error: { code: 'CORRUPT' } });
    expect((await read(new Uint8Array(0))).result.ok).toBe(false);
  });

  it('larger than memory should hold twice is refused unread', async () => {
    const { result } = await read(new Uint8Array(2 ** 30 + 1));
    expect(result).toMatchObject({ ok: false, error: { code: 'TOO_LARGE', file: 'report.sqlite' } });
  });

  it('in write-ahead mode is read without its log', async () => {
    const bytes = await database(schema);
    bytes.fill(2, 18, 20);
    expect((await read(bytes)).result).toMatchObject({ ok: true, summary: { events: 10 } });
  });

  it('with any bytes changed ends in one error or in sound rows', async () => {
    const whole = await database(schema);
    const edits = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(
        edits,
        fc.integer({ min: 100, max: whole.length }),
        fc.boolean(),
        async (changes, length, cut) => {
          const bytes = cut ? whole.slice(0, length) : whole.slice();
          for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
          const { result, events } = await read(bytes);
          for (const { page } of events)
            expect(Number.isInteger(page) && page >= -1 && page < 2 ** 45).toBe(true);
          if (!result.ok) expect(['CORRUPT', 'WRONG_SCHEMA']).toContain(result.error.code);
        },
      ),
      { seed: 20161118, numRuns: 150 },
    );
  });

  it('handed to the stream reader is told to go here', async () => {
    const { result } = collect(await database(schema));
    expect(result).toMatchObject({ ok: false, error: { code: 'WRONG_READER' } });
  });
});
