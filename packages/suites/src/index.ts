export { gpusvmRules } from './gpusvm-rules.js';
export { kfdSvm } from './kfd-svm.js';
export { igtSvm } from './igt-svm/igt-svm.js';
export {
  runSuite,
  type DriverDefects,
  type Suite,
  type SuiteClient,
  type SuiteResult,
  type SuiteRun,
  type SuiteTest,
  type Verdict,
} from './suite.js';
