import { OPERATIONS, type AnyOperation } from '@hmm/operations';
import { grammarRules } from '@hmm/workload/internal';
import { fence, type Page, plain } from '../page.js';

const SIDES = { cpu: 'on the CPU', gpu: 'on a device', agent: 'for the running agent' } as const;

/** The language: every statement with its rule of the grammar, and the grammar as a whole. */
export function languagePage(): Page {
  const rules = grammarRules();
  const parts = [
    '# The language',
    'Programs (`.hmm`) and litmus tests (`.litmus`) are written in one small language. This page is made of the parser’s own ' +
      'grammar and of the definitions of the operations; [@hmm/workload](../packages/workload.md#the-language) tells it in ' +
      'sentences, and [@hmm/syntax](../packages/syntax.md) colours it in editors.',
    'In the rules, what stands in quotes is written as it is; `[ ]` may be left out, `{ }` may be repeated any number of times, ' +
      '`|` separates alternatives.',
    '## Operations',
    ...OPERATIONS.map((definition: AnyOperation) =>
      operation(definition, rules.find(({ name }) => name === `operation_${definition.kind}`)?.text ?? ''),
    ),
    '## Everything else',
    'Control, conditions, expressions, and how a file is built.',
    fence(
      'text',
      rules
        .filter(({ name }) => !name.startsWith('operation_'))
        .map(({ name, text }) => `${name} = ${shortStatement(name, text)}`)
        .join('\n\n'),
    ),
  ];
  return { path: 'reference/language.md', text: `${parts.join('\n\n')}\n` };
}

function operation(definition: AnyOperation, rule: string): string {
  const { kind, summary, side, returns, recorded } = definition;
  const gets = returns === 'values' ? 'a value a page' : 'the errno, 0 for success';
  const told = recorded.length === 0 ? 'no recording has it' : 'recordings have it';
  return [
    `### ${kind}`,
    plain(summary),
    fence('text', rule),
    `Works ${SIDES[side]}; \`-> NAME\` gets ${gets}; ${told}.`,
  ].join('\n\n');
}

/** The rule of all statements names each operation, which the page has above. */
function shortStatement(name: string, text: string): string {
  return name === 'statement' ? text.replace(/operation_\w+(?: \| operation_\w+)*/, 'operation') : text;
}
