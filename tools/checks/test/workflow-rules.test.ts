import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { workflowComplaints, workflowsComplaints } from '../src/workflow-rules.js';

const CHECKOUT = 'actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8';
const GOOD = `
on: [push]
permissions: {}
jobs:
  test:
    permissions: { contents: read }
    steps:
      - uses: ${CHECKOUT}
        with: { persist-credentials: false }
      - run: npm test
`;

it('the workflows keep the rules', () => {
  expect(workflowsComplaints(fileURLToPath(new URL('../../../.github/workflows', import.meta.url)))).toEqual(
    [],
  );
});

it.each([
  ['unpinned-uses', CHECKOUT, 'actions/checkout@v5'],
  ['unpinned-uses', `- uses: ${CHECKOUT}`, '- uses: somebody/action@main\n      - uses: ' + CHECKOUT],
  ['artipacked', 'persist-credentials: false', 'fetch-depth: 0'],
  ['excessive-permissions', 'permissions: {}\n', ''],
  ['excessive-permissions', 'permissions: {}', 'permissions: write-all'],
  ['excessive-permissions', '    permissions: { contents: read }\n', ''],
  ['template-injection', 'npm test', "echo '${{ github.event.pull_request.title }}'"],
  ['dangerous-triggers', '[push]', '[push, pull_request_target]'],
  ['dangerous-triggers', '[push]', '{ workflow_run: { workflows: [test] } }'],
  ['cache-poisoning', 'contents: read', 'id-token: write'],
  [
    'cache-poisoning',
    '- run: npm test',
    '- uses: actions/setup-node@49933ea5288caeca8642d1e84afbd3f7d6820020\n        with: { cache: npm }',
  ],
  [
    'secrets-inherit',
    'permissions: { contents: read }',
    'permissions: { contents: read }\n    secrets: inherit',
  ],
  ['use-trusted-publishing', 'npm test', 'NODE_AUTH_TOKEN=$TOKEN npm publish'],
])('%s is found: %s', (rule, from, to) => {
  expect(workflowComplaints('good.yml', GOOD)).toEqual([]);
  expect(GOOD).toContain(from);
  expect(workflowComplaints('bad.yml', GOOD.replace(from, to))).toEqual([
    expect.stringContaining(`bad.yml: ${rule}:`),
  ]);
});
