import {
  formatStory,
  type LitmusReport,
  type LitmusResult,
  type ObservedReport,
  type ObservedResult,
} from '@hmm/explore';
import { countOf, formatCount, formatTable } from '@hmm/report';

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
  const states = results.flatMap(({ report }) => {
    const told = results.length === 1 || report.verdict === 'violated';
    return told && report.outcomes.length > 0 ? [formatStates(report)] : [];
  });
  return `${[summary(results), formatTable(columns, rows), ...states, SCOPE, ...stories].join('\n\n')}\n`;
}

/** The final states that were reached, as herd7 lists them; of a test with `exists`, those that meet it are starred. */
function formatStates({ name, outcomes, verdict, counterexample }: LitmusReport): string {
  const asked = outcomes.some((text) => / (?:not|exists)$/.test(text));
  const states = outcomes.map((text) => {
    const mark = asked && text.endsWith(' exists') ? '* ' : '  ';
    return mark + text.replace(/ (?:not|exists)$/, '').trim();
  });
  const partial = verdict === 'violated' && counterexample !== null;
  const notes = [
    ...(partial ? ['the search ended at the violation, there may be more'] : []),
    ...(asked ? ['* meets the condition'] : []),
  ];
  const none = verdict === 'violated' && asked && !states.some((text) => text.startsWith('*'));
  const missing = none ? '\nNo execution meets the condition.' : '';
  const head = `${name}: ${countOf(outcomes.length, 'final state')}${notes.length === 0 ? '' : ` (${notes.join('; ')})`}`;
  return `${head}\n${states.join('\n')}${missing}`;
}

function summary(results: readonly LitmusResult[]): string {
  const count = (verdict: LitmusReport['verdict']): number =>
    results.filter(({ report }) => report.verdict === verdict).length;
  return `${count('ok')} passed, ${count('violated')} failed, ${count('incomplete')} incomplete, each in every interleaving.`;
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
