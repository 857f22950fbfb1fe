/**
 * What VitePress needs to know of the site.
 * @packageDocumentation
 */
export { siteConfig } from './site-config.js';
