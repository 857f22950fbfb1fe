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
