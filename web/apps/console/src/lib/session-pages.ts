// The page of a session that may be picked up in a moment, built out of sight while the pointer is on its way to the button: a click then
// only has to show it, and the website's answer finds nobody busy.
import { flushSync, mount, unmount } from 'svelte';
import Support from '../pages/Support.svelte';
import type { Workspace } from './workspace.svelte';

/** A session's page; it is built at once and stands in the document only while it is shown. */
class SessionPage {
  readonly element = document.createElement('div');
  readonly #built: Record<string, unknown>;

  constructor(
    readonly workspace: Workspace,
    onclose: () => void,
  ) {
    this.element.className = 'session-page';
    this.#built = mount(Support, { target: this.element, props: { workspace, onclose } });
  }

  remove(): void {
    this.element.remove();
    void unmount(this.#built);
  }
}

/** Milliseconds that a pointer rests on a button before it means it; one that only passes by costs nothing. */
const DWELL_MS = 50;

let prepared: SessionPage | undefined;
let soon: ReturnType<typeof setTimeout> | undefined;

/**
 * Has the browser lay a page out once, which nobody sees: what it measures of fonts and words is known from then on. The page stands in
 * the document for as long as this call takes, and never between two tasks.
 */
export function layOut(page: HTMLElement): void {
  const backstage = document.createElement('div');
  Object.assign(backstage.style, { position: 'fixed', inset: '0', visibility: 'hidden', contain: 'strict' });
  backstage.inert = true;
  backstage.append(page);
  document.body.append(backstage);
  page.getBoundingClientRect();
  backstage.remove();
}

export const sessionPages = {
  /** Builds the page of a session that is not open yet, if nothing else is asked for a moment; one at a time. */
  prepare(workspace: Workspace, onclose: () => void): void {
    if (prepared?.workspace === workspace) return;
    sessionPages.forget();
    soon = setTimeout(() => {
      prepared = new SessionPage(workspace, onclose);
      flushSync();
      layOut(prepared.element);
    }, DWELL_MS);
  },
  /** Shows a session's page at a place, the prepared one if there is one. Returns what removes it. */
  show(place: HTMLElement, workspace: Workspace, onclose: () => void): () => void {
    clearTimeout(soon);
    let page: SessionPage;
    if (prepared?.workspace === workspace) {
      page = prepared;
      prepared = undefined;
    } else {
      page = new SessionPage(workspace, onclose);
    }
    place.append(page.element);
    workspace.shown = true;
    workspace.unread = 0;
    return () => {
      workspace.shown = false;
      page.remove();
    };
  },
  /** Nothing is about to be opened any more. */
  forget(): void {
    clearTimeout(soon);
    prepared?.remove();
    prepared = undefined;
  },
};
