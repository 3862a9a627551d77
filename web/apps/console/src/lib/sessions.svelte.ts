// The open sessions of the account as this technician may see them, kept current by the event stream.
import { eventsUrl, type Session } from '@belay/api';
import { account, api } from './account.svelte';
import { isAbsent, isOpen, isUnderWay } from './label';
import { linkSecrets } from './link-secrets';

/** Milliseconds that news of sessions may wait to be shown with others: they come in crowds, and while somebody is being connected to. */
const NEWS_WITHIN = 100;

export class Sessions {
  #me: string;
  #byId = $state.raw<ReadonlyMap<string, Session>>(new Map());
  #stream: EventSource | undefined;
  #loading = false;
  #meanwhile: Session[] = [];
  #news: Session[] = [];
  #newsTimer: ReturnType<typeof setTimeout> | undefined;
  #onchange: (session: Session) => void;

  /** False while the event stream is down: what is shown may be old. */
  live = $state(true);
  loaded = $state(false);

  readonly all = $derived([...this.#byId.values()]);
  readonly waiting = $derived(this.all.filter((s) => s.state === 'waiting').sort(by((s) => s.waiting_at ?? s.created_at)));
  /** Those who waited, and whose computer is away for the moment: they cannot be picked up. */
  readonly absent = $derived(this.all.filter((s) => isAbsent(s.state) && !isUnderWay(s)).sort(by((s) => s.waiting_at ?? s.created_at)));
  readonly mine = $derived(this.all.filter((s) => this.#isMine(s)).sort(by((s) => s.active_at ?? s.created_at)));
  readonly others = $derived(this.all.filter((s) => isUnderWay(s) && !this.#isMine(s)).sort(by((s) => s.active_at ?? s.created_at)));

  constructor(me: string, onchange: (session: Session) => void) {
    this.#me = me;
    this.#onchange = onchange;
  }

  find(id: string): Session | undefined {
    return this.#byId.get(id);
  }

  /** Follows the stream until the answer is called. */
  follow(): () => void {
    linkSecrets.sweep(Date.now());
    this.#connect();
    return () => {
      this.#stream?.close();
      clearTimeout(this.#newsTimer);
      this.#newsTimer = undefined;
      this.#news = [];
    };
  }

  /** Takes in a session that an answer brought. */
  take(session: Session): void {
    this.#news.push(session);
    this.#takeNews();
  }

  /** Takes in how a session stands now, within a moment. */
  hear(session: Session): void {
    this.#news.push(session);
    this.#newsTimer ??= setTimeout(() => this.#takeNews(), NEWS_WITHIN);
  }

  #takeNews(): void {
    clearTimeout(this.#newsTimer);
    this.#newsTimer = undefined;
    const news = this.#news;
    this.#news = [];
    if (this.#loading) this.#meanwhile.push(...news);
    const next = new Map(this.#byId);
    for (const session of news) {
      if (isOpen(session.state)) next.set(session.id, session);
      else {
        next.delete(session.id);
        linkSecrets.forget(session.id);
      }
    }
    this.#byId = next;
    for (const session of news) this.#onchange(session);
  }

  async reload(): Promise<void> {
    // What was heard before the list is asked for is older than the list.
    this.#takeNews();
    this.#loading = true;
    this.#meanwhile = [];
    const result = account.watch(await api.openSessions());
    this.#loading = false;
    if (!result.ok) return;
    const gone = [...this.#byId.keys()].filter((id) => !result.value.sessions.some((s) => s.id === id));
    this.#byId = new Map(result.value.sessions.map((s) => [s.id, s]));
    this.loaded = true;
    // Changes that came while the list was on its way are newer than the list.
    this.#news = [...this.#meanwhile, ...this.#news];
    this.#takeNews();
    for (const id of gone) void this.#lookAfter(id);
  }

  /** A session left the list during a gap of the stream: find out how it went. */
  async #lookAfter(id: string): Promise<void> {
    const result = await api.session(id);
    if (!result.ok) return;
    if (!isOpen(result.value.session.state)) linkSecrets.forget(id);
    this.#onchange(result.value.session);
  }

  #isMine(session: Session): boolean {
    return isUnderWay(session) ? session.technician?.id === this.#me : session.state === 'connecting' && session.created_by.id === this.#me;
  }

  #connect(): void {
    const stream = new EventSource(eventsUrl);
    this.#stream = stream;
    stream.addEventListener('open', () => (this.live = true));
    stream.addEventListener('session', (event) => this.hear(JSON.parse((event as MessageEvent<string>).data) as Session));
    stream.addEventListener('resync', () => void this.reload());
    stream.addEventListener('signed-out', () => {
      stream.close();
      account.expired();
    });
    stream.addEventListener('error', () => {
      this.live = false;
      // The browser tries again by itself, except after an answer that was no stream: signed out, or a proxy's page.
      if (stream.readyState === EventSource.CLOSED) void this.#afterRefusal();
    });
  }

  async #afterRefusal(): Promise<void> {
    const result = account.watch(await api.me());
    if (!result.ok && result.failure.status === 401) return;
    setTimeout(() => {
      if (this.#stream?.readyState === EventSource.CLOSED && account.status.at === 'in') this.#connect();
    }, 3000);
  }
}

function by(time: (session: Session) => string): (a: Session, b: Session) => number {
  return (a, b) => time(a).localeCompare(time(b));
}
