// The sessions open in this window, one tab each.
import type { Connection, Session } from '@belay/api';
import { Workspace } from './workspace.svelte';

let list = $state.raw<readonly Workspace[]>([]);
/** Of a session that may be opened in a moment. */
let prepared: Workspace | undefined;

export const workspaces = {
  get list(): readonly Workspace[] {
    return list;
  },
  find(id: string): Workspace | undefined {
    return list.find((workspace) => workspace.id === id);
  },
  /** The workspace that `open` will open for this session: without a tab or a connection, unless it is open already. */
  prepare(session: Session): Workspace {
    const known = workspaces.find(session.id);
    if (known) return known;
    if (prepared?.id !== session.id) prepared = new Workspace(session);
    prepared.session = session;
    return prepared;
  },
  /** Opens a tab, or answers with the one that is open. The connection may still be on its way; `undefined` when there will be none. */
  open(session: Session, connection?: Promise<Connection | undefined>): Workspace {
    const known = workspaces.find(session.id);
    if (known) return known;
    const workspace = workspaces.prepare(session);
    prepared = undefined;
    list = [...list, workspace];
    void workspace.open(connection);
    return workspace;
  },
  told(session: Session): void {
    workspaces.find(session.id)?.told(session);
  },
  close(id: string): void {
    workspaces.find(id)?.close();
    list = list.filter((workspace) => workspace.id !== id);
  },
  closeAll(): void {
    for (const workspace of list) workspace.close();
    list = [];
    prepared = undefined;
  },
  get notStored(): number {
    return list.reduce((sum, workspace) => sum + workspace.notStored, 0);
  },
};
