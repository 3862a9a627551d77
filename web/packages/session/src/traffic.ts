// One pairing's seal and link over the paths there are: the gateway's relay, while it is connected, and direct ones.
import { type Port, type PortEvents } from './direct/port';
import { type Delivered, Link, LinkError, type Measured } from './link';
import { Seal, SealError, type SealOptions } from './seal';
import { type Interference } from './paths';
import { type Bytes, WireError } from './wire/codec';
import { type Class } from './wire/link';
import { SEAL_KIND, SEALED_OVERHEAD } from './wire/seal';

/** More than this many bytes that a path has not taken yet, and data waits. */
const [RELAY_SHARE, DIRECT_SHARE] = [1 << 20, 256 * 1024];
/** How often a path is asked that does not say by itself when it takes more, in milliseconds. */
const ASK_AGAIN = 10;

/** Why a pairing is over although the leg is still there. */
export type PairingError = SealError | LinkError | WireError;

/** What takes the frames for the gateway. */
export interface RelayPort {
  /** Bytes that the network has not taken yet. */
  readonly buffered: number;
  send(frame: Bytes): void;
}

export interface TrafficEvents {
  ready(code: string, transcript: Bytes): void;
  message(bytes: Bytes, of: Class): void;
  /** A packet opened that came on this path; its messages follow. */
  opened(path: number): void;
  failed(path: number): void;
  /** The handshake has to begin anew. */
  misunderstood(): void;
  /** A packet was taken, a path has come or gone, or time has passed: `carried` or `measured` may have changed. */
  changed(): void;
  broken(error: PairingError): void;
}

export class Traffic {
  /** The link's name for the present connection to the gateway; `undefined` while there is none. */
  relay: number | undefined;
  /** Bytes of frames that came, on all paths. */
  received = 0;
  private readonly link = new Link();
  private readonly seal: Seal;
  private lastPath = 0;
  private readonly ports = new Map<number, Port>();
  /** Bytes that are being sealed, by path. */
  private readonly sealing = new Map<number, number>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private wakeAt = 0;
  private over = false;
  private readonly seen = { forged: 0, repeated: 0 };
  private whenArrived: (() => void) | undefined;

  constructor(
    options: SealOptions,
    private readonly gateway: RelayPort,
    private readonly events: TrafficEvents,
  ) {
    this.seal = new Seal(options, {
      frame: (frame, path) => this.leave(frame, path),
      packet: (packet, path) => this.opened(packet, path),
      failed: (path) => this.events.failed(path),
      interfered: (how) => {
        this.seen[how] += 1;
        this.events.changed();
      },
      misunderstood: () => this.events.misunderstood(),
      ready: (code, transcript) => this.events.ready(code, transcript),
      broken: (error) => this.events.broken(error),
    });
  }

  /** Whether the keys are made. */
  get ready(): boolean {
    return this.seal.ready;
  }

  /** Whether a direct path carries the session, whatever becomes of the gateway. */
  get carried(): boolean {
    for (const path of this.ports.keys()) if (this.link.measured(path, performance.now())?.usable === true) return true;
    return false;
  }

  /** Of the path in use; `undefined`: there is none yet. */
  get measured(): (Measured & { direct: boolean }) | undefined {
    const { active } = this.link;
    const measured = active === undefined ? undefined : this.link.measured(active, performance.now());
    return active === undefined || measured === undefined ? undefined : { ...measured, direct: this.ports.has(active) };
  }

  /** How a direct path stands that may not be in use; `undefined`: there is none. */
  get direct(): Measured | undefined {
    for (const path of this.ports.keys()) return this.link.measured(path, performance.now());
    return undefined;
  }

  /** Whether the network has not yet taken what was sent. */
  get congested(): boolean {
    const port = this.ports.get(this.link.active ?? 0) ?? this.gateway;
    return this.link.hasMore || port.buffered > 0;
  }

  /** What somebody on the way has done so far. */
  get interference(): Interference {
    return { ...this.seen, swallowed: this.link.swallowed };
  }

  /** Since when the gateway's path owes an answer; `undefined`: it owes none. */
  get relaySilentSince(): number | undefined {
    return this.relay === undefined ? undefined : this.link.silentSince(this.relay);
  }

  /** When the gateway's path becomes doubtful, as nothing answers there any more, nor on another; `undefined`: nothing is owed. */
  get relayDoubtedAt(): number | undefined {
    if (this.relay === undefined || this.answering) return undefined;
    return this.link.doubtedAt(this.relay);
  }

  /** Asks the partner by the gateway whether it is there. */
  askRelay(): void {
    if (this.relay !== undefined) this.link.ask(this.relay);
    this.flush();
  }

  /** Whether a direct path answers at the moment. */
  get answering(): boolean {
    const now = performance.now();
    return [...this.ports.keys()].map((path) => this.link.measured(path, now)).some((path) => path?.usable === true && !path.suspected);
  }

  /** Messages of a class that the partner has not acknowledged. */
  unacknowledged(of: 'ordered' | 'input'): Bytes[] {
    return this.link.unacknowledged(of);
  }

  /** Begins the handshake. */
  start(): void {
    this.seal.start();
  }

  /** There is another connection to the gateway; nothing of the link goes there before `goOn`. */
  connected(): void {
    this.relay = this.newPath();
  }

  /** The link goes on over the gateway's connection: what is not acknowledged, at least a ping. */
  goOn(): void {
    if (this.relay !== undefined) this.link.addPath(this.relay, 'ordered', performance.now());
    this.flush();
  }

  /** The connection to the gateway is gone. */
  disconnected(): void {
    if (this.relay !== undefined) this.removePath(this.relay);
    this.relay = undefined;
    this.flush();
  }

  /** There is a direct path. */
  addPort(port: Port): PortEvents {
    const path = this.newPath();
    this.ports.set(path, port);
    this.link.addPath(path, 'datagram', performance.now());
    this.flush();
    return {
      frame: (frame) => {
        this.received += frame.length;
        // Nothing else travels here; what is no sealed frame is none of the partner's.
        if (this.ports.has(path) && frame[0] === SEAL_KIND.sealed) this.seal.receive(frame, path);
      },
      free: () => this.flush(),
      closed: () => {
        if (!this.ports.delete(path) || this.over) return;
        this.removePath(path);
        this.flush();
        this.events.changed();
      },
    };
  }

  /** Takes a frame that came by the gateway. */
  receive(frame: Bytes): void {
    this.received += frame.length;
    if (this.relay !== undefined) this.seal.receive(frame, this.relay);
  }

  send(of: Class, message: Bytes): void {
    if (this.guarded(() => this.link.send(of, message))) this.flush();
  }

  /** Seals any bytes as a packet of the link, well-formed or not. */
  sendPacket(packet: Bytes): void {
    this.seal.seal(packet, this.link.active ?? this.relay);
  }

  /** Sends what the link has to send, and arms the timer for what it will have. */
  flush(): void {
    if (this.over || !this.seal.ready) return;
    const now = performance.now();
    const room = (path: number): boolean => this.hasRoom(path);
    for (let next = this.link.poll(now, room); next !== undefined; next = this.link.poll(now, room)) {
      const { path, packet } = next;
      this.sealing.set(path, (this.sealing.get(path) ?? 0) + packet.length);
      this.seal.seal(packet, path);
    }
    this.wake(now);
  }

  /** Resolves when everything sent so far has left, and has arrived if it went by a path that may lose it. */
  async whenSent(): Promise<void> {
    await this.seal.whenSent();
    if (this.over || this.link.allArrived || this.measured?.direct !== true) return;
    await new Promise<void>((resolve) => (this.whenArrived = resolve));
  }

  /** Resolves when every packet received so far has been delivered. */
  whenOpened(): Promise<void> {
    return this.seal.whenOpened();
  }

  /** Forgets everything; nothing is called any more. */
  close(): void {
    this.over = true;
    clearTimeout(this.timer);
    this.seal.close();
    this.ports.clear();
    this.whenArrived?.();
  }

  private newPath(): number {
    this.lastPath += 1;
    return this.lastPath;
  }

  private removePath(path: number): void {
    this.link.removePath(path, performance.now());
    this.sealing.delete(path);
  }

  /** A frame leaves on its path, if that is still there. */
  private leave(frame: Bytes, path: number | undefined): void {
    if (this.over) return;
    if (path === undefined || path === this.relay) this.gateway.send(frame);
    else this.ports.get(path)?.send(frame);
    const sealing = path === undefined ? undefined : this.sealing.get(path);
    if (path === undefined || sealing === undefined) return;
    this.sealing.set(path, Math.max(sealing - frame.length + SEALED_OVERHEAD, 0));
    if (this.link.hasMore) this.flush();
  }

  private opened(packet: Bytes, path: number): void {
    this.events.opened(path);
    let delivered: Delivered[] = [];
    const now = performance.now();
    if (this.over || !this.guarded(() => (delivered = this.link.receive(path, packet, now)))) return;
    for (const { class: of, message } of delivered) {
      this.events.message(message, of);
      if (this.over) return;
    }
    if (this.whenArrived !== undefined && this.link.allArrived) this.whenArrived();
    this.flush();
    this.events.changed();
  }

  private hasRoom(path: number): boolean {
    const port = this.ports.get(path);
    const [buffered, share] = port === undefined ? [this.gateway.buffered, RELAY_SHARE] : [port.buffered, DIRECT_SHARE];
    return buffered + (this.sealing.get(path) ?? 0) < share;
  }

  private wake(now: number): void {
    let { wakeAt } = this.link;
    // A WebSocket does not say when it takes more.
    if (this.link.hasMore && this.link.active !== undefined) wakeAt = Math.min(wakeAt ?? now + ASK_AGAIN, now + ASK_AGAIN);
    if (wakeAt === undefined || (this.timer !== undefined && this.wakeAt <= wakeAt)) return;
    clearTimeout(this.timer);
    this.wakeAt = wakeAt;
    const act = (): void => {
      this.timer = undefined;
      this.flush();
      if (!this.over) this.events.changed();
    };
    this.timer = setTimeout(act, Math.max(wakeAt - now, 0));
  }

  /** Whether it went well; what breaks the protocol ends the pairing. */
  private guarded(step: () => void): boolean {
    try {
      step();
      return true;
    } catch (error) {
      if (!(error instanceof LinkError || error instanceof WireError)) throw error;
      this.events.broken(error);
      return false;
    }
  }
}
