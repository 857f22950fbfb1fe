import { describe, expect, it } from 'vitest';
import { type Published, versionsFor } from '../src/version-matrix.js';

const published: Published = new Map([
  [
    'base',
    new Map([
      ['1.0.0', {}],
      ['1.0.1', {}],
      ['1.1.0', {}],
      ['2.0.0', {}],
    ]),
  ],
  [
    'middle',
    new Map([
      ['1.0.0', { dependencies: { base: '^1.0.0' } }],
      ['1.0.1', { dependencies: { base: '^1.1.0' } }],
    ]),
  ],
  ['top', new Map([['1.0.0', { dependencies: { middle: '^1.0.0', base: '^1.0.1', fflate: '^1' } }]])],
]);

describe('the newest of a package', () => {
  it('goes with the oldest of the others that all ranges allow', () => {
    expect([...versionsFor('top', published, 'oldest')]).toEqual([
      ['top', '1.0.0'],
      ['middle', '1.0.0'],
      ['base', '1.0.1'],
    ]);
  });

  it('goes with the newest of the others', () => {
    expect([...versionsFor('top', published, 'newest')]).toEqual([
      ['top', '1.0.0'],
      ['middle', '1.0.1'],
      ['base', '1.1.0'],
    ]);
  });

  it('goes with none where a range asks for what is not published', () => {
    const broken = new Map([
      ...published,
      ['top', new Map([['1.0.0', { dependencies: { base: '^3.0.0' } }]])],
    ]);
    expect(() => versionsFor('top', broken, 'oldest')).toThrow('top: no base is all of ^3.0.0');
  });
});
