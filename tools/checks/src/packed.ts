/**
 * What is looked at in a packed library, for the rehearsal of a release.
 * @packageDocumentation
 */
export { publishComplaints } from './publish.js';
export { type ReadmeExample, readmeExamples } from './readme.js';
