import { h } from '../host.js'; export function Edit() { return h('p', null, 'edit'); }
