import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import {
  GOLDEN_FILES,
  goldenPath,
  recordingCollection,
  recordingFormat,
  recordingSchema,
  recordingsText,
  type RecordingFormat,
} from '../src/index.js';

const ajv = new Ajv2020({ strictTuples: false, strictTypes: false });
const validators = new Map<string, ValidateFunction>();

function validatorOf(format: Exclude<RecordingFormat, 'text'>): ValidateFunction {
  const known = validators.get(format) ?? ajv.compile(recordingSchema(format));
  validators.set(format, known);
  return known;
}

describe('the list of recordings', () => {
  it('has every file with its checksum (pnpm --filter @hmm/golden run list writes it)', () => {
    expect(readFileSync(new URL('../recordings.json', import.meta.url), 'utf8')).toBe(recordingsText());
    const { name, version, recordings } = recordingCollection();
    expect(name).toBe('@hmm/golden');
    expect(version).toMatch(/^\d+\.\d+\.\d+/);
    expect(recordings.map(({ file }) => file)).toEqual([...GOLDEN_FILES].sort());
  });

  it('knows no format of another name', () => {
    expect(() => recordingFormat('linux-6.12/picture.png')).toThrow('no recording is named like that');
  });
});

describe('every line of every recording is as its schema says', () => {
  it.each(GOLDEN_FILES.filter((file) => recordingFormat(file) !== 'text'))('%s', (file) => {
    const format = recordingFormat(file);
    if (format === 'text') return;
    const valid = validatorOf(format);
    const bytes = readFileSync(goldenPath(file));
    const lines = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8').split('\n');
    expect(lines.pop()).toBe('');
    const wrong = lines.findIndex((line) => !valid(JSON.parse(line)));
    expect(wrong < 0 ? [] : [wrong + 1, lines[wrong], valid.errors]).toEqual([]);
  });
});

describe('a schema refuses', () => {
  it.each<[Exclude<RecordingFormat, 'text'>, unknown]>([
    ['uvm-capture', { e: 'cpu_fault', at: 0, v: 0, t: 1.5, dt: -1, src: 0, dst: 0, f: 2 }],
    ['uvm-capture', { e: 'page_fault', at: 0, v: 0, t: 1, dt: -1, src: 0, dst: 0, f: 2 }],
    ['uvm-capture', { end: true, records: 7 }],
    ['uvm-times', { scenario: 'a', runs: 0, step_ns: [] }],
    ['link-costs', { k: 'copy', bytes: '4096' }],
    ['races', { test: 'a', init: [], threads: [['cw 0 0 1 1']], final: [], runs: 1 }],
    ['test-device-scripts', { p: 0, op: 'cr 0 0 1', rounds: 1 }],
    ['test-device-scripts', { p: 0, op: 'fork', inv: [['PROTECTION_PAGE', 0, 0, 0]] }],
    ['nouveau-scripts', { p: 0, op: 'exit', ev: [['free']] }],
    ['odp-scripts', { script: 'a', family: 'odp', ops: 1, seed: 3 }],
  ])('%s %j', (format, line) => {
    expect(validatorOf(format)(line)).toBe(false);
  });
});
