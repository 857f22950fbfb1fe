import { traceArchive, type Timeline, withResidency } from '@hmm/report';
import { expect, test } from 'vitest';

/** The files of a TAR, by the offsets that POSIX gives. */
function filesOf(bytes: Uint8Array): Map<string, string> {
  const text = new TextDecoder();
  const files = new Map<string, string>();
  for (let at = 0; at < bytes.length && bytes[at] !== 0;) {
    const header = bytes.subarray(at, at + 512);
    const size = parseInt(text.decode(header.subarray(124, 135)), 8);
    const summed = header.map((byte, i) => (i >= 148 && i < 156 ? 32 : byte)).reduce((a, b) => a + b, 0);
    expect(parseInt(text.decode(header.subarray(148, 154)), 8)).toBe(summed);
    expect(text.decode(header.subarray(257, 262))).toBe('ustar');
    const name = text.decode(header.subarray(0, 100)).replace(/\0.*$/s, '');
    files.set(name, text.decode(bytes.subarray(at + 512, at + 512 + size)));
    at += 512 + 512 * Math.ceil(size / 512);
  }
  return files;
}

test('an archive has a manifest that names a machine for each trace, and the traces whole', () => {
  const pieces = [Uint8Array.of(104, 109), Uint8Array.of(109)];
  const made = [
    ...traceArchive('first', [
      { name: 'nouveau', pieces },
      { name: 'nvidia', pieces },
    ]),
  ];
  const bytes = Uint8Array.from(made.flatMap((piece) => [...piece]));
  expect(bytes.length % 512).toBe(0);
  const files = filesOf(bytes);
  expect([...files.keys()]).toEqual(['perfetto_manifest.json', 'nouveau.pftrace', 'nvidia.pftrace']);
  expect(files.get('nvidia.pftrace')).toBe('hmm');
  expect(files.get('perfetto_manifest.json')).toMatch(/^{"perfetto_manifest"/);
  expect(JSON.parse(files.get('perfetto_manifest.json') ?? '')).toMatchObject({
    perfetto_manifest: { version: 1, files: [{ path: 'nouveau.pftrace', machine: { name: 'nouveau' } }, {}] },
  });
});

test('a part of a region has a slice for each state, for as long as it lasts', () => {
  const empty: Timeline = {
    title: 't',
    tracks: [{ id: 3, name: 'x', group: 'CPU' }],
    slices: [],
    counters: [],
  };
  const looks = [0, 0x80, 0x80, 0x08, 0x26].map((look) => Uint8Array.of(look));
  const made = withResidency(empty, [0, 10, 20, 30, 50], [{ name: 'a', rows: 1, looks }]);
  expect(made.tracks.at(-1)).toEqual({ id: 4, name: 'a', group: 'residency' });
  expect(made.slices.map(({ name, start, ns }) => [name, start, ns])).toEqual([
    ['CPU', 10, 20],
    ['GPU', 30, 20],
  ]);
});
