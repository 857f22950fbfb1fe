import { guideComplaints } from './guide-commands.js';
import { exampleComplaints } from './page-examples.js';
import { browserComplaints } from './browser-checks.js';

// `pnpm site:check`: what can only be seen by running: the commands and examples of the pages, and the built site in a browser.
const complaints = [
  ...guideComplaints((line) => {
    console.error(line);
  }),
  ...exampleComplaints(),
  ...(await browserComplaints((line) => {
    console.error(line);
  })),
];
for (const complaint of complaints) console.error(complaint);
console.log(
  complaints.length === 0 ? 'site: all checks hold' : `site: ${complaints.length} checks do not hold`,
);
process.exitCode = complaints.length === 0 ? 0 : 1;
