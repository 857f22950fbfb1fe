import { render } from 'preact';
import './styles.css';
import { Engine } from './engine/engine.js';
import EngineWorker from './engine/engine.worker.js?worker';
import { acceptDrops, openServed } from './state/open-file.js';
import { keepUrl, restorePage } from './state/page-state.js';
import { App } from './views/app.js';

restorePage(location.hash.slice(1));
const engine = new Engine(() => new EngineWorker());
const host = document.getElementById('app');
if (host !== null) render(<App engine={engine} />, host);
keepUrl();
acceptDrops(engine);
void openServed(engine);
window.addEventListener('hashchange', () => {
  restorePage(location.hash.slice(1));
});
