import { expect, test } from 'vitest';
import { decodeFragment, encodeFragment } from '../src/state/view-url.js';

test('state survives the URL, and what is not ours decodes to nothing', () => {
  const state = { program: 'cpu write a seq 5\n'.repeat(40), panes: ['nouveau', 'nvidia'], cursor: 1.5 };
  const fragment = encodeFragment(state);
  expect(fragment).toMatch(/^[\w-]+$/);
  expect(fragment.length).toBeLessThan(200);
  expect(decodeFragment(fragment)).toEqual(state);
  expect(decodeFragment('not ours!')).toBeUndefined();
  expect(decodeFragment('AAAA')).toBeUndefined();
});
