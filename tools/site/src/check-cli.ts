import { browserComplaints } from './browser-checks.js';
import { guideComplaints } from './guide-commands.js';
import { exampleComplaints } from './page-examples.js';

// `pnpm site:check [guides] [examples] [browser]`: what can only be seen by running; all three where none is named.
const named = process.argv.slice(2);
const say = (line: string): void => {
  console.error(line);
};
const asked = (what: string): boolean => named.length === 0 || named.includes(what);

const complaints = [
  ...(asked('guides') ? guideComplaints(say) : []),
  ...(asked('examples') ? exampleComplaints() : []),
  ...(asked('browser') ? await browserComplaints(say) : []),
];
for (const complaint of complaints) console.error(complaint);
console.log(
  complaints.length === 0 ? 'site: all checks hold' : `site: ${complaints.length} checks do not hold`,
);
process.exitCode = complaints.length === 0 ? 0 : 1;
