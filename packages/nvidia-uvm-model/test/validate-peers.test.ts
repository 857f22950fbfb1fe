import { goldenText } from '@hmm/golden';
import { describe, expect, it } from 'vitest';
import { validateCapture } from '@hmm/nvidia-uvm-model/validate';

describe('two H200 linked by NVLink', () => {
  it.each([
    ['peers', 10],
    ['nopeers', 11],
  ] as const)(
    'move and map each other’s pages as the driver did, event by event: %s',
    (part, deterministic) => {
      const report = validateCapture(goldenText(`h200x2-uvm/${part}.jsonl.gz`), { gpu: '2xh200-nvlink' });
      const wrong = report.per_scenario.filter((s) => s.deterministic && !s.exact);
      expect(wrong.map((s) => [s.name, s.first_difference])).toEqual([]);
      expect([report.scenarios, report.deterministic]).toEqual([12, deterministic]);
    },
  );
});
