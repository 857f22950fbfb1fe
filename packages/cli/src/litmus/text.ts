import {
  formatStory,
  type LitmusReport,
  type LitmusResult,
  type ObservedReport,
  type ObservedResult,
} from '@hmm/explore';
import { formatCount, formatTable } from '@hmm/report';

/** The results of litmus tests for people. */
export function formatLibrary(results: readonly LitmusResult[]): string {
  const rows = results.map(({ report: r }) => [
    r.name,
    r.verdict,
    formatCount(r.schedules),
    String(r.outcomes.length),
    r.seconds.toFixed(2),
  ]);
  const right = (title: string): { title: string; align: 'right' } => ({ title, align: 'right' });
  const columns = [
    { title: 'test' },
    { title: 'verdict' },
    right('schedules'),
    right('outcomes'),
    right('seconds'),
  ];
  const stories = results.flatMap(({ report, story }) =>
    story === undefined ? [] : [`${report.name}\n\n${formatStory(story)}`],
  );
  return `${[summary(results), formatTable(columns, rows), SCOPE, ...stories].join('\n\n')}\n`;
}

function summary(results: readonly LitmusResult[]): string {
  const count = (verdict: LitmusReport['verdict']): number =>
    results.filter(({ report }) => report.verdict === verdict).length;
  return `${count('ok')} hold in every interleaving, ${count('violated')} do not, ${count('incomplete')} were not finished.`;
}

/** Beside every result. */
const SCOPE = 'Not explored: the order of memory accesses within a step (sequentially consistent).';

/** The comparison with a recording for people. */
export function formatObserved(results: readonly ObservedResult[]): string {
  const tests = results.map(({ report }) => report);
  const sum = (of: (test: ObservedReport) => number): number =>
    tests.reduce((total, test) => total + of(test), 0);
  const rows = tests.map((t) => [
    t.name,
    `${t.covered} of ${t.observed}`,
    String(t.never_seen),
    formatCount(t.schedules),
    t.seconds.toFixed(2),
    t.violations.join(', ') + (t.exhaustive ? '' : ' (not finished)'),
  ]);
  const right = (title: string): { title: string; align: 'right' } => ({ title, align: 'right' });
  const columns = [
    { title: 'test' },
    right('seen, allowed'),
    right('never seen'),
    right('schedules'),
    right('seconds'),
    { title: 'violations' },
  ];
  const total = `${sum((t) => t.covered)} of ${sum((t) => t.observed)} outcomes that the real kernel showed are allowed by the model.`;
  const stories = results.flatMap(({ report, story }) =>
    story === undefined ? [] : [`${report.name}\n\n${formatStory(story)}`],
  );
  return `${[total, formatTable(columns, rows), SCOPE, ...stories].join('\n\n')}\n`;
}
