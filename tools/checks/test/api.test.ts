import { expect, test } from 'vitest';
import { exportedNames, unexplainedNames } from '../src/api.js';

const REPORT = `
\`\`\`ts
import { Task } from '@hmm/kernel';

// @public
export const MAP_SHARED = 1;

// @public
export const PAGES: number;

// @public
export abstract class Space {
    readonly id: number;
}

// @public
export interface SpaceOptions {
}

export { Task }
\`\`\`
`;

test('a report tells the exported names', () => {
  expect(exportedNames(REPORT)).toEqual(['MAP_SHARED', 'PAGES', 'Space', 'SpaceOptions', 'Task']);
});

test('a name is explained by itself or by its family', () => {
  const readme = 'A `Space` with `SpaceOptions` runs a `Task`; flags are `MAP_*`.';
  expect(unexplainedNames(exportedNames(REPORT), readme)).toEqual(['PAGES']);
  expect(unexplainedNames(['MAPPED', 'Spaces'], readme)).toEqual(['MAPPED', 'Spaces']);
});
