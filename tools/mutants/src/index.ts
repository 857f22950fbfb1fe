export { type Mutant, parseMutant, PATCHES, readCatalogue } from './catalogue.js';
export { plantedSources } from './planted-sources.js';
export { type MutantReport, MutantRunner, type MutantsReport, readLibrary } from './run-mutants.js';
