// One support session that is open in this window: the link to the end user, the chat, what is granted.
// It lives on while another tab is shown; the canvas belongs to it and moves in and out of the page.
import type { ChatLine, Connection, Session } from '@belay/api';
import { charterMisfit, openRemoteSession, type ConsentState, type LinkState, type Monitor, type PathReport, type RemoteSession, type Right, type ScreenReport } from '@belay/session';
import { account, api } from './account.svelte';
import { ChatKeeper, type Kept } from './chat-keeper';
import { explain } from './failure';
import type { Scaling } from './fit';
import { nearest } from './nearest';
import { isOpen } from './label';
import { linkSecrets } from './link-secrets';
import { Scalings } from './scalings.svelte';
import { Decisions, Steps } from './showing';
import { isAway, isConnecting } from './tools';

export interface Line {
  id: string;
  author: 'technician' | 'end_user';
  text: string;
  at: Date;
  kept: Kept;
  /** Written while there was no connection: the end user has it once there is one again. */
  waiting?: boolean;
}
export type EndedBy = 'end_user' | 'technician' | 'system' | 'lost';

export class Workspace {
  readonly id: string;
  readonly canvas = document.createElement('canvas');
  session = $state.raw<Session>() as Session;
  link = $state<LinkState>('connecting');
  /** A code for why the link is as it is, such as `charter_foreign`. */
  detail = $state<string | undefined>();
  /** While reconnecting or offline: since when. */
  lostAt = $state.raw<Date | undefined>();
  /** Why the session could not be opened, in words. */
  problem = $state<string | undefined>();
  lines = $state<Line[]>([]);
  typing = $state(false);
  consent = $state<Record<Right, ConsentState>>({ desktop_view: 'none', remote_control: 'none' });
  denied = $state<Right | undefined>();
  rights = $state.raw<readonly Right[]>([]);
  singlePrompt = $state(false);
  path = $state.raw<PathReport | undefined>();
  monitors = $state.raw<readonly Monitor[]>([]);
  monitor = $state<number | undefined>();
  peer = $state.raw<{ platform: string; version: string; language: string } | undefined>();
  size = $state.raw({ width: 0, height: 0 });
  securityCode = $state<string | undefined>();
  /** The technician says that this code is on the other screen too. */
  comparedCode = $state<string | undefined>();
  /** Both ends hold the secret of the invitation link: there is nothing to compare. */
  verified = $state(false);
  /** Somebody sits between the two ends: said as long as the tab is open, also after the end. */
  tampered = $state(false);
  /** The keys were made anew: what was compared before no longer counts. */
  codeChanged = $state(false);
  ended = $state<EndedBy | undefined>();
  /** Lines that came while the tab was not shown. */
  unread = $state(0);
  shown = false;

  #remote = $state.raw<RemoteSession | undefined>();
  #off: (() => void)[] = [];
  #keeper: ChatKeeper;
  #opening = false;
  /** The tab is gone; an answer that comes now opens nothing. */
  #closed = false;
  #awaiting: (() => void)[] = [];
  #steps = new Steps();
  #scalings = new Scalings();
  #decisions = new Decisions(
    (right, state) => (this.consent[right] = state),
    () => this.consent.desktop_view === 'granted',
  );

  constructor(session: Session) {
    this.id = session.id;
    this.session = session;
    this.canvas.dataset.testid = 'screen';
    this.canvas.className = 'screen';
    this.#keeper = new ChatKeeper(
      async (line) => account.watch(await api.addChatLine(this.id, line)),
      (id, kept) => {
        const line = this.lines.find((entry) => entry.id === id);
        if (line) line.kept = kept;
      },
    );
  }

  /**
   * Opens the link; with the answer of a pick-up that may still be on its way, or else by asking for the connection again. Whoever picks up
   * and is refused (`undefined`) closes this.
   */
  async open(pickedUp?: Promise<Connection | undefined>): Promise<void> {
    if (this.#opening || this.ended) return;
    this.#opening = true;
    this.problem = undefined;
    this.link = 'connecting';
    if (pickedUp === undefined) {
      await this.#reopen();
    } else {
      const connection = await pickedUp;
      if (connection) this.#start(connection);
    }
    this.#opening = false;
  }

  /** Resolves when the link is no longer on its way to a partner, or this is closed. */
  arrived(): Promise<void> {
    return isConnecting(this.link) ? new Promise((resolve) => this.#awaiting.push(resolve)) : Promise.resolve();
  }

  #arrive(): void {
    for (const resolve of this.#awaiting.splice(0)) resolve();
  }

  async #reopen(): Promise<void> {
    const [result, details] = await Promise.all([api.connect(this.id), api.session(this.id)]);
    account.watch(result);
    if (details.ok) {
      this.session = details.value.session;
      for (const line of details.value.chat) this.#show({ ...line, id: line.line_id, at: new Date(line.at), kept: 'kept' });
      if (!isOpen(this.session.state)) return this.#finish(this.session.ended_by ?? 'system');
    }
    if (result.ok) this.#start(result.value);
    else this.problem = explain(result.failure);
  }

  #start(connection: Connection): void {
    if (this.#closed) return;
    this.#drop();
    this.#forgetConsent();
    const { status } = account;
    const asked = status.at === 'in' && { sessionId: this.id, account: status.me.account.id, technician: status.me.member.id };
    const misfit = asked ? charterMisfit(connection, asked, Date.now()) : undefined;
    if (misfit !== undefined) {
      this.#linkChanged('lost', misfit);
      return;
    }
    this.session = connection.session;
    const { gateways, ticket, binding, charter } = connection;
    nearest.heard(gateways);
    const renew = (): Promise<Connection> => this.#renew();
    const secret = linkSecrets.of(this.id, Date.now());
    const remote = openRemoteSession({
      ...{ gateways, ticket, binding, charter, sessionId: this.id, canvas: this.canvas, renew },
      ...(secret === undefined ? {} : { linkSecret: secret }),
    });
    this.#remote = remote;
    this.rights = remote.rights;
    this.singlePrompt = remote.singlePrompt;
    this.path = remote.path;
    // What was written while an earlier link was interrupted, and never left.
    for (const line of this.lines) if (line.waiting) remote.sendChat(line.text, line.id);
    this.#off = [
      remote.on('state', (state, detail, since) => this.#linkChanged(state, detail, since)),
      remote.on('chat', (line) => this.#received(line)),
      remote.on('path', (path) => (this.path = path)),
      remote.on('typing', (typing) => (this.typing = typing)),
      remote.on('consent', (right, state) => this.#decisions.take(right, state)),
      remote.on('picture', () => this.#decisions.picture()),
      remote.on('denied', (right) => (this.denied = right)),
      remote.on('monitors', (list, chosen) => {
        this.monitors = list;
        this.monitor = chosen;
      }),
      remote.on('peer', (peer) => (this.peer = peer)),
      remote.on('size', (width, height) => (this.size = { width, height })),
      remote.on('security_code', (code, verified) => this.#codeMade(code, verified)),
      remote.on('ended', (by) => (by === 'lost' ? void this.#turnedAway() : this.#finish(by))),
    ];
  }

  /** Another ticket for a link that cannot come back with its own. */
  async #renew(): Promise<Connection> {
    const result = account.watch(await api.connect(this.id));
    if (result.ok) return result.value;
    // It may be refused because the session is over.
    const details = account.watch(await api.session(this.id));
    if (details.ok) this.told(details.value.session);
    throw new Error(explain(result.failure));
  }

  #codeMade(code: string, verified: boolean): void {
    this.verified = verified;
    if (code === this.securityCode) return;
    this.codeChanged = this.securityCode !== undefined;
    this.securityCode = code;
    this.comparedCode = undefined;
  }

  /** The connection is lost and is being made again by itself. */
  get away(): boolean {
    return isAway(this.link);
  }

  #linkChanged(state: LinkState, detail: string | undefined, since?: Date): void {
    // `ended` comes with the event that says by whom.
    if (state === 'ended') return;
    this.#steps.take(this.link, state, detail, () => this.#showLink(state, detail, since));
  }

  #showLink(state: LinkState, detail: string | undefined, since?: Date): void {
    this.link = state;
    if (!isConnecting(state)) this.#arrive();
    this.detail = detail;
    if (detail === 'tampered') this.tampered = true;
    this.lostAt = since;
    if (state === 'connected') for (const line of this.lines) line.waiting = false;
    this.typing = false;
    if (this.#remote) this.rights = this.#remote.rights;
    if (state === 'lost') this.#forgetConsent();
  }

  #forgetConsent(): void {
    this.#decisions.forget();
    this.consent = { desktop_view: 'none', remote_control: 'none' };
  }

  /** The gateway will not have us any more: either the session is over, or another window has it. */
  async #turnedAway(): Promise<void> {
    this.#linkChanged('lost', 'turned_away');
    const result = account.watch(await api.session(this.id));
    if (result.ok) this.told(result.value.session);
    else this.#finish('lost');
  }

  /** The website's word on this session has changed. */
  told(session: Session): void {
    this.session = session;
    if (!isOpen(session.state)) this.#finish(session.ended_by ?? 'system');
  }

  #received(line: { id: string; author: 'technician' | 'end_user'; text: string; at: Date }): void {
    if (!this.#show({ ...line, kept: 'keeping' })) return;
    if (!this.shown) this.unread += 1;
    this.typing = false;
    this.#keep(line);
  }

  say(text: string): void {
    if (!this.#remote) return;
    const { id, at } = this.#remote.sendChat(text);
    // The link may have told us of our own line already.
    const waiting = this.link !== 'connected';
    if (this.#show({ id, author: 'technician', text, at, kept: 'keeping', waiting })) this.#keep({ id, author: 'technician', text, at });
  }

  #show(line: Line): boolean {
    if (this.lines.some((known) => known.id === line.id)) return false;
    const after = this.lines.findLastIndex((known) => known.at <= line.at);
    this.lines.splice(after + 1, 0, line);
    return true;
  }

  #keep({ id, author, text, at }: Omit<Line, 'kept'>): void {
    const line: ChatLine = { line_id: id, author, text, at: at.toISOString() };
    this.#keeper.keep(line);
  }

  keepAgain(): void {
    this.#keeper.again();
  }

  get notStored(): number {
    return this.lines.filter((line) => line.kept !== 'kept').length;
  }

  setTyping(on: boolean): void {
    this.#remote?.setTyping(on);
  }

  ask(rights: Right[]): void {
    this.denied = undefined;
    this.#remote?.request(rights);
  }

  stop(right: Right): void {
    this.#remote?.release(right);
  }

  choose(monitor: number): void {
    this.monitor = monitor;
    this.#remote?.selectMonitor(monitor);
  }

  /** How large the monitor that is shown is drawn. */
  get scaling(): Scaling {
    return this.#scalings.of(this.#shownName);
  }

  set scaling(scaling: Scaling) {
    this.#scalings.choose(this.#shownName, scaling);
  }

  /** The name of the monitor that is shown; the whole desktop has none. */
  get #shownName(): string {
    return this.monitors.find(({ id }) => id === this.monitor)?.name ?? '';
  }

  /** Tells once a second how the picture runs; returns what ends that. */
  watchScreen(tell: (report: ScreenReport) => void): (() => void) | undefined {
    return this.#remote?.watchScreen(tell);
  }

  ctrlAltDel(): void {
    this.#remote?.sendCombination('ctrl_alt_del');
  }

  typeText(text: string): void {
    this.#remote?.typeText(text);
  }

  attachInput(stage: HTMLElement): (() => void) | undefined {
    return this.#remote?.attachInput(stage);
  }

  /** Ends the session for both sides: the end user's computer hears of it first, then the website. */
  async end(): Promise<string | undefined> {
    this.#remote?.end();
    const result = account.watch(await api.end(this.id));
    if (!result.ok) return explain(result.failure);
    this.#finish('technician');
    return undefined;
  }

  #finish(by: EndedBy): void {
    // Whoever is heard first is right: later news only follow from it.
    this.ended ??= by;
    this.link = 'ended';
    this.#arrive();
    this.typing = false;
    this.#drop();
    this.#forgetConsent();
  }

  /** Closes the link without ending the session. */
  close(): void {
    this.#closed = true;
    this.#arrive();
    this.#drop();
  }

  #drop(): void {
    this.#decisions.forget();
    this.#steps.forget();
    for (const off of this.#off) off();
    this.#off = [];
    this.#remote?.close();
    this.#remote = undefined;
  }
}
