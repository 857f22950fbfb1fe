export { compareWithExplicit, type ExplicitComparison } from './explicit.js';
export type { ClientReport, CompareReport, Difference, RunReport } from './client-report.js';
export {
  diagnose,
  type AdviceReport,
  type BandwidthReport,
  type Diagnosis,
  type LinkLimits,
  type RegionReport,
  type ThrashReport,
} from './diagnosis/diagnosis.js';
export { formatDiagnosis } from './diagnosis/format-diagnosis.js';
export { formatResidencyMap, type ColorDepth, type ResidencyGrid } from './diagnosis/residency-map.js';
export { RunEvents, type PingPong, type RegionTotals, type RunRegion } from './diagnosis/run-events.js';
export { PART_TEXT, findDifferences, type ProgramTraits, type Rules, type Topic } from './differences.js';
export { chromeTrace } from './export/chrome-json.js';
export { eventsCsv, eventsJson } from './export/events-csv.js';
export { escaped, htmlReport } from './export/html-report.js';
export { perfettoTrace } from './export/perfetto.js';
export { withResidency, type SeenResidency } from './export/residency-tracks.js';
export { traceArchive, type ArchivedTrace } from './export/trace-archive.js';
export {
  makeTimeline,
  type LockHold,
  type Timeline,
  type TimelineCounter,
  type TimelineInput,
  type TimelineSlice,
  type TimelineTrack,
} from './export/timeline.js';
export { bytesBetweenGpus, formatCompare, formatRun, summarySentence } from './format-report.js';
export { FIVE_STEPS } from './five-steps.js';
export { LINE_WIDTH, formatColumns, formatTable, wrapText, type Column } from './table.js';
export { countOf, formatBytes, formatCount, formatRatio, formatShare, formatTime } from './units.js';
