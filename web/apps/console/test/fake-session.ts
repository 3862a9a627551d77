// A stand-in for @belay/session: an end user who answers by himself. For looking at pages, and for tests.
// He refuses after a chat line that says "refuse", does not answer after "silence", ends at "bye", is lost at "lost".
// The connection is interrupted for some seconds at "cut", his computer at "sleep", for good at "offline"; "keys" makes
// new ones, "between" finds somebody in between, "swapped", "spliced", "named", "held" and "charter" are other ways to be deceived. "udp", "tcp", "turn", "blocked", "failed", "nothing", "slower", "disturbed" and "old" are ways the path may stand.
import type { Monitor, PathName, PathProblem, PathReport, RemoteSession, RemoteSessionEvents as Events, RemoteSessionOptions, Right, ScreenReport } from '../../../packages/session/src/interface';

const [WIDTH, HEIGHT] = [1920, 1080];

function report(kind: PathName, problem: PathProblem | undefined, roundTrip: number, loss = 0): PathReport {
  const tcp = kind === 'direct_tcp';
  const direct = {
    ...{ problem, attempts: 2, retryAt: problem === 'ice_failed' ? new Date(Date.now() + 60_000) : undefined },
    here: { udp: tcp ? 0 : 2, tcp: 2, reflexive: tcp ? 0 : 1, relayed: 1 },
    there: { udp: tcp ? 0 : 1, tcp: 1, reflexive: tcp ? 0 : 1, relayed: 1 },
  };
  const interference = { forged: 0, repeated: 0, swallowed: 0 };
  return { kind, problem, roundTrip, loss, direct, interference };
}

/** Chat lines after which there is no connection, and the reason. */
const LOST: Record<string, string> = { swapped: 'broken_keys', spliced: 'foreign_session', named: 'foreign_technician', held: 'no_answer' };

/** What a chat line of this text turns the path into. */
const PATHS: Record<string, () => PathReport> = {
  udp: () => report('direct_udp', undefined, 11.4, 0.002),
  tcp: () => report('direct_tcp', 'udp_blocked', 14),
  turn: () => report('relayed_udp', 'ice_failed', 31, 0.03),
  blocked: () => report('relay', 'udp_blocked_here', 52),
  failed: () => report('relay', 'ice_failed', 47),
  nothing: () => report('relay', 'no_candidates', 47),
  slower: () => report('relay', 'slower', 20),
  disturbed: () => ({ ...report('relay', 'ice_failed', 47), interference: { forged: 12, repeated: 3, swallowed: 5 } }),
  old: () => report('relay', 'unsupported', 47),
};

class FakeSession implements RemoteSession {
  path: PathReport = report('relay', 'trying', 48);
  readonly singlePrompt = true;
  readonly rights: Right[] = ['desktop_view', 'remote_control'];
  #options: RemoteSessionOptions;
  #listeners = new Map<string, Set<(...args: never[]) => void>>();
  #mood = '';
  #timers: ReturnType<typeof setTimeout>[] = [];

  constructor(options: RemoteSessionOptions) {
    this.#options = options;
    this.#after(60, () => this.#tell('state', 'securing'));
    this.#after(120, () => this.#tell('state', 'waiting_for_applet'));
    this.#after(300, () => {
      this.#tell('state', 'connected');
      this.#tell('path', this.path);
      this.#tell('peer', { platform: 'linux-x86_64', version: '0.1.0', language: 'de' });
      this.#tell('security_code', '481902', this.#options.linkSecret !== undefined);
      this.#line('Hello! My printer <b>does not</b> print any more.\nhttps://example.com/<script>alert(1)</script>');
    });
  }

  on<K extends keyof Events>(event: K, listener: Events[K]): () => void {
    const set = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, set.add(listener as (...args: never[]) => void));
    return () => set.delete(listener as (...args: never[]) => void);
  }

  sendChat(text: string, id = crypto.randomUUID() as string): { id: string; at: Date } {
    this.#mood = text;
    this.#after(300, () => this.#tell('typing', true));
    const path = PATHS[text]?.();
    if (path !== undefined) {
      this.path = path;
      this.#tell('path', path);
    }
    if (text === 'bye') this.#after(200, () => this.#tell('ended', 'end_user'));
    else if (text === 'lost') this.#after(200, () => this.#tell('state', 'lost'));
    else if (text === 'cut' || text === 'sleep') this.#away(text === 'cut' ? 'gateway' : 'partner', 6000);
    else if (text === 'offline') {
      const since = new Date(Date.now() - 312_000);
      this.#after(200, () => this.#tell('state', 'offline', 'partner', since));
    } else if (text === 'keys') this.#after(200, () => this.#tell('security_code', '730115', false));
    else if (text in LOST) this.#after(200, () => this.#tell('state', 'lost', LOST[text]));
    else if (text === 'charter') this.#after(200, () => this.#tell('state', 'connected', 'charter_signature'));
    else if (text === 'between') this.#after(200, () => this.#tell('state', 'lost', 'tampered'));
    else if (text !== 'silence') this.#after(1500, () => this.#line('One moment, I will have a look.'));
    return { id, at: new Date() };
  }

  setTyping(_on: boolean): void {}

  request(rights: Right[]): void {
    for (const right of rights) this.#tell('consent', right, 'asking');
    if (this.#mood === 'silence') return;
    this.#after(700, () => {
      const answer = this.#mood === 'refuse' ? 'refused' : 'granted';
      for (const right of rights) this.#tell('consent', right, answer);
      if (answer === 'granted' && rights.includes('desktop_view')) this.#show();
    });
  }

  release(right: Right): void {
    if (right === 'desktop_view') this.#tell('consent', 'remote_control', 'withdrawn');
    this.#tell('consent', right, 'withdrawn');
  }

  selectMonitor(_id: number): void {}
  watchScreen(tell: (report: ScreenReport) => void): () => void {
    const applet = { wait: 0.4, capture: 0.3, encode: 1.2, send: 0.2 };
    const tellNow = (): void => tell({ path: this.path, fps: 30, bytesPerSecond: 57_400, applet, decode: 2.3, draw: 1.1, films: 1 });
    const timer = setInterval(tellNow, 1000);
    return () => clearInterval(timer);
  }

  sendCombination(_c: 'ctrl_alt_del'): void {}
  typeText(_text: string): void {}

  attachInput(_stage: HTMLElement): () => void {
    return () => undefined;
  }

  end(): void {
    this.#tell('ended', 'technician');
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#listeners.clear();
  }

  #show(): void {
    const monitor = (id: number, x: number): Monitor => ({ id, name: `DP-${id + 1}`, x, y: 0, width: WIDTH, height: HEIGHT, primary: id === 0 });
    this.#tell('monitors', [monitor(0, 0), monitor(1, WIDTH)], 0);
    this.#tell('size', WIDTH, HEIGHT);
    draw(this.#options.canvas);
  }

  #away(by: string, ms: number): void {
    const since = new Date();
    this.#after(200, () => this.#tell('state', 'reconnecting', by, since));
    this.#after(200 + ms, () => this.#tell('state', 'connected'));
  }

  #line(text: string): void {
    this.#tell('typing', false);
    this.#tell('chat', { id: crypto.randomUUID(), author: 'end_user', text, at: new Date() });
  }

  #after(ms: number, act: () => void): void {
    this.#timers.push(setTimeout(act, ms));
  }

  #tell<K extends keyof Events>(event: K, ...args: Parameters<Events[K]>): void {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) (listener as unknown as (...a: Parameters<Events[K]>) => void)(...args);
  }
}

export function openRemoteSession(options: RemoteSessionOptions): RemoteSession {
  return new FakeSession(options);
}

export async function warmUp(): Promise<void> {}

export { VIEW_CHANGE } from '../../../packages/session/src/attach_input';
export { holdPointer, holdsPointer, leavePointer } from '../../../packages/session/src/relative';
export { newLinkSecret } from '../../../packages/session/src/link_secret';

/** The stand-in for the website hands out no charters. */
export function charterMisfit(): undefined {
  return undefined;
}

function draw(canvas: HTMLCanvasElement): void {
  [canvas.width, canvas.height] = [WIDTH, HEIGHT];
  const c = canvas.getContext('2d');
  if (!c) return;
  c.fillStyle = '#2f5d73';
  c.fillRect(0, 0, WIDTH, HEIGHT);
  c.fillStyle = '#1c2a31';
  c.fillRect(0, HEIGHT - 48, WIDTH, 48);
  c.fillStyle = '#ffffff';
  c.fillRect(260, 140, 1100, 720);
  c.fillStyle = '#dfe5e8';
  c.fillRect(260, 140, 1100, 44);
  c.fillStyle = '#20303a';
  c.font = '28px sans-serif';
  c.fillText('Printers', 284, 172);
  c.font = '22px sans-serif';
  for (let row = 0; row < 8; row += 1) c.fillText(`Office printer ${row + 1} — paused`, 320, 250 + row * 64);
}

export function prepareGateway(_address: string): void {}
