import { LESSONS } from '@hmm/explorer/lessons';
import { fence, type Page, plain } from '../page.js';

/** The lessons of the explorer: the questions and what they teach; the answers are read off the runs, in the explorer. */
export function lessonsPage(): Page {
  const lessons = LESSONS.flatMap(({ title, question, options, explanation, run }) => [
    `## ${plain(title)}`,
    plain(question),
    options.map((option) => `- ${plain(option)}`).join('\n'),
    run.kind === 'program' ? fence('hmm', run.program) : fence('litmus', run.test),
    `::: details What is learnt\n${plain(explanation)}\n:::`,
  ]);
  const text = [
    '# Lessons',
    'Questions about what a driver does, each with the program that decides it. In the [explorer](../try.md) you answer first, then the ' +
      'program runs, and the answer is read off the run. Here are the questions, and what each teaches.',
    ...lessons,
  ].join('\n\n');
  return { path: 'reference/lessons.md', text: `${text}\n` };
}
