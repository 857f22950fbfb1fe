import { runReadmeExamples } from '@hmm/checks';
import { expect, it } from 'vitest';

it('prints what the README says', async () => {
  for (const { example, printed } of await runReadmeExamples()) expect(printed).toEqual(example.prints);
});
