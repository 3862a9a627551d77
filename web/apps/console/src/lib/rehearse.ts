// A session's page, shown once before there is a session: out of sight, of nobody, and gone again. The browser reads and compiles what
// builds it while the technician still reads the list, and not while an end user waits.
import type { Session } from '@belay/api';
import { flushSync, mount, unmount } from 'svelte';
import Support from '../pages/Support.svelte';
import { layOut } from './session-pages';
import { Workspace } from './workspace.svelte';

/** How long the browser may be busy with other things first, in milliseconds. */
const PATIENCE = 2000;

const NOBODY: Session = {
  id: '00000000-0000-4000-8000-000000000000',
  state: 'active',
  created_at: new Date(0).toISOString(),
  created_by: { id: '00000000-0000-4000-8000-000000000000', name: '' },
};

/** Rehearses as soon as the browser has nothing else to do. Returns what calls it off. Never fails. */
export function rehearse(): () => void {
  const act = (): void => {
    try {
      perform();
    } catch (error) {
      // What does not work here fails again, with a clear message, when a session is opened.
      console.warn('a session’s page could not be prepared', error);
    }
  };
  if (typeof requestIdleCallback === 'undefined') {
    const timer = setTimeout(act, PATIENCE);
    return () => clearTimeout(timer);
  }
  const idle = requestIdleCallback(act, { timeout: PATIENCE });
  return () => cancelIdleCallback(idle);
}

/** Each step draws what comes with it: the page, the question, the screen, control. */
function perform(): void {
  const workspace = new Workspace(NOBODY);
  const host = document.createElement('div');
  const page = mount(Support, { target: host, props: { workspace, onclose: () => undefined } });
  const draw = (): void => {
    flushSync();
    layOut(host);
  };
  draw();
  workspace.link = 'connected';
  workspace.rights = ['desktop_view', 'remote_control'];
  workspace.securityCode = '000000';
  draw();
  workspace.consent.desktop_view = 'asking';
  draw();
  workspace.monitors = [{ id: 0, name: '', x: 0, y: 0, width: 1, height: 1, primary: true }];
  workspace.consent.desktop_view = 'granted';
  draw();
  workspace.consent.remote_control = 'granted';
  draw();
  void unmount(page);
  workspace.close();
}
