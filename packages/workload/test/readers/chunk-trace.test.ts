import {
  accessRows,
  ACCESS_READ,
  AGENT_GPU,
  detectFormat,
  TraceReader,
  type AccessRow,
} from '@hmm/workload/readers';
import { expect, test } from 'vitest';

const TODAY = `time_ms,hook_type,pid,owner_pid,va_space,cpu,chunk_addr,list_addr,va_block,va_start,va_end,va_page_index
0,ACTIVATE,812,4711,0xffff8881,3,0xffffaa00,0xffffbb00,0xffff9900,0x7f0000000000,0x7f00001fffff,16
2,POPULATE,812,4711,0xffff8881,3,0xffffaa00,0xffffbb00,0xffff9900,0x7f0000000000,0x7f00001fffff,17
2,POPULATE,812,0,0x0,3,0xffffaa00,0xffffbb00,0x0,0x0,0x0,0
5,EVICTION_PREPARE,812,0,0x0,3,0x0,0xffffbb00,0x0,0x0,0x0,0
`;

function read(text: string): { rows: AccessRow[]; skipped: Readonly<Record<string, number | undefined>> } {
  const bytes = new TextEncoder().encode(text);
  expect(detectFormat(bytes)).toBe('chunk-trace');
  const rows: AccessRow[] = [];
  const reader = new TraceReader(
    { accesses: (batch) => rows.push(...accessRows(batch)) },
    { file: 'chunks.csv' },
  );
  reader.push(bytes);
  const result = reader.end();
  if (!result.ok) throw new Error(result.error.found);
  return { rows, skipped: result.summary.skipped };
}

test('a chunk that is given out or used is an access of its page; what leaves, or has no block, is counted', () => {
  const { rows, skipped } = read(TODAY);
  const access = { kind: ACCESS_READ, agent: AGENT_GPU, thread: 4711 };
  expect(rows).toMatchObject([
    { ...access, page: 0x7f0000000 + 16, time: 0 },
    { ...access, page: 0x7f0000000 + 17, time: 2e6 },
  ]);
  expect(skipped).toEqual({ comment: 1, 'no-address': 1, 'other-event': 1 });
});

test('a file of the older tool has other columns', () => {
  const { rows } = read(
    'time_ms,hook_type,cpu,chunk_addr,list_addr,va_block,va_start,va_end,va_page_index\n7,POPULATE,1,0xa,0xb,0xc,0x200000,0x3fffff,3\n',
  );
  expect(rows).toMatchObject([{ page: 512 + 3, time: 7e6 }]);
});
