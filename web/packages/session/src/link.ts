// The link between console and applet: belay-link/2. A pure machine: time comes in as milliseconds, packets go out as
// bytes, each for one path. Specification: docs/protocol/link.md.
import { Choice } from './link/choice';
import { StateInbox, StreamInbox } from './link/inbox';
import { LinkError, type LinkFault, StateOutbox, StreamOutbox } from './link/outbox';
import { Path, type PathKind, type Sent } from './link/path';
import { type Bytes, Writer } from './wire/codec';
import {
  type Class,
  decodePacket,
  isStream,
  type Piece,
  STATES,
  type State,
  type Stream,
  STREAMS,
  writeAck,
  writePing,
} from './wire/link';

export { LinkError, type LinkFault, type PathKind };
export { MAX_AHEAD } from './link/inbox';
export { MAX_UNACKNOWLEDGED } from './link/outbox';

/** A little less than the 20 ms promised, for the timer's own delay. */
const ACKNOWLEDGE_WITHIN = 15;
/** A path that was measured so often counts as settled. */
const SETTLED = 3;
/** Pongs that wait to be sent; a partner that pings faster is not answered every time. */
const MAX_PONGS = 64;
/** Bytes of a packet besides its data: acknowledgements of every class. */
const HEAD = 5 * (11 + 8 * 16);

export interface Delivered {
  class: Class;
  message: Bytes;
}

/** A packet, and the path on which it is to leave. */
export interface Outgoing {
  path: number;
  packet: Bytes;
}

export interface Measured {
  usable: boolean;
  /** Whether an answer is late. */
  suspected: boolean;
  /** Whether it has been measured often enough to be chosen. */
  settled: boolean;
  /** Smoothed round trip in milliseconds; `undefined`: none was measured yet. */
  roundTrip: number | undefined;
  /** Share of what was sent that was lost, 0 to 1. */
  loss: number;
}

interface Owed {
  at: number;
  /** Packets of a stream since the last acknowledgement. */
  packets: number;
}

export class Link {
  private readonly streams: Record<Stream, StreamOutbox> = {
    ordered: new StreamOutbox('ordered'),
    input: new StreamOutbox('input'),
    screen: new StreamOutbox('screen'),
  };
  private readonly states: Record<State, StateOutbox> = { cursor: new StateOutbox('cursor'), seen: new StateOutbox('seen') };
  private readonly inboxes: Record<Stream, StreamInbox> = {
    ordered: new StreamInbox('ordered'),
    input: new StreamInbox('input'),
    screen: new StreamInbox('screen'),
  };
  private readonly newest: Record<State, StateInbox> = { cursor: new StateInbox(), seen: new StateInbox() };
  private readonly owed = new Map<Class, Owed>();
  private readonly paths = new Map<number, Path>();
  private pongs: { path: number; number: number }[] = [];
  private chosen: Path | undefined;
  private readonly choice = new Choice();
  /** Packets of ours that an ordered path has not delivered although it went on: somebody in between has dropped them. */
  swallowed = 0;

  /** The path that everything but pings and pongs goes on; `undefined`: there is none yet. */
  get active(): number | undefined {
    return this.chosen?.id;
  }

  /** There is another path; `id` is the owner's name for it, used once. */
  addPath(id: number, kind: PathKind, now: number): void {
    const path = new Path(id, kind, now);
    this.paths.set(id, path);
    this.choose(now);
  }

  /** A path is gone; what was on its way there goes again. */
  removePath(id: number, now: number): void {
    const path = this.paths.get(id);
    if (path === undefined) return;
    this.paths.delete(id);
    this.pongs = this.pongs.filter((pong) => pong.path !== id);
    if (this.chosen === path) this.chosen = undefined;
    this.choice.forget(path);
    this.choose(now);
  }

  /** `undefined`: there is no such path. */
  measured(id: number, now: number): Measured | undefined {
    const path = this.paths.get(id);
    if (path === undefined) return undefined;
    const settled = path.answered >= SETTLED;
    return { usable: path.usable, suspected: path.isSuspected(now), settled, roundTrip: path.latency.smoothed, loss: path.loss };
  }

  /** Since when a path owes an answer or an acknowledgement; `undefined`: it owes none. */
  silentSince(id: number): number | undefined {
    return this.paths.get(id)?.owesSince;
  }

  /** When a path's silence becomes one to look into, if nothing comes there before; `undefined`: it owes nothing. */
  doubtedAt(id: number): number | undefined {
    return this.paths.get(id)?.doubtedAt;
  }

  /** Has a ping go out on a path now: on an ordered one its answer shows what was dropped there. */
  ask(id: number): void {
    this.paths.get(id)?.ask(1);
  }

  /** Takes a message, to be sent as soon as a path takes it: `poll` then. Throws `LinkError` when the link is lost. */
  send(of: Class, message: Bytes): void {
    if (isStream(of)) this.streams[of].push(message);
    else this.states[of].push(message);
  }

  /** Takes a packet that came on a path; what it completes is returned in order. Throws `WireError` or `LinkError` on a breach. */
  receive(id: number, packet: Bytes, now: number): Delivered[] {
    const delivered: Delivered[] = [];
    this.paths.get(id)?.heard(now);
    let settle = false;
    let answered: number | undefined;
    for (const piece of decodePacket(packet)) {
      settle ||= piece.kind === 'ack';
      if (piece.kind === 'pong') {
        const pong = this.paths.get(id)?.pong(piece.number, now);
        if (pong === undefined) continue;
        answered = pong.before;
        this.doubt(pong.worse && id === this.chosen?.id, now);
        this.choice.weigh([...this.paths.values()], this.chosen);
        this.choose(now);
      } else {
        this.take(id, piece, now, delivered);
      }
    }
    if (settle) this.settle(now);
    if (answered !== undefined) {
      const missing = this.paths.get(id)?.missing(answered, now) ?? [];
      this.swallowed += missing.length;
      this.again(missing);
    }
    return delivered;
  }

  /**
   * The next packet to send; to be called until there is none, after each event and at `wakeAt`. `room`: whether a path
   * takes more data at the moment.
   */
  poll(now: number, room: (path: number) => boolean): Outgoing | undefined {
    this.pass(now);
    return this.pong() ?? this.ping(now) ?? this.carry(now, room);
  }

  /** When `poll` will next have something, in the same clock; `undefined`: not without a new event. */
  get wakeAt(): number | undefined {
    let wake = Number.POSITIVE_INFINITY;
    for (const path of this.paths.values()) wake = Math.min(wake, path.wakeAt);
    if (this.chosen !== undefined) for (const { at } of this.owed.values()) wake = Math.min(wake, at);
    return Number.isFinite(wake) ? wake : undefined;
  }

  /** Whether everything sent in streams has been acknowledged. */
  get allArrived(): boolean {
    return STREAMS.every((of) => this.streams[of].allArrived);
  }

  /** Whether there is data that waits for its turn, or for room. */
  get hasMore(): boolean {
    return STREAMS.some((of) => this.streams[of].hasMore) || STATES.some((of) => this.states[of].hasMore);
  }

  /** The messages of a stream that the partner has not acknowledged, oldest first. */
  unacknowledged(of: Stream): Bytes[] {
    return this.streams[of].unacknowledged;
  }

  private take(id: number, piece: Exclude<Piece, { kind: 'pong' }>, now: number, delivered: Delivered[]): void {
    switch (piece.kind) {
      case 'ack':
        if (isStream(piece.class)) this.streams[piece.class].acknowledged(piece.next, piece.ranges);
        else this.states[piece.class].acknowledged(piece.next);
        return;
      case 'data': {
        const of = piece.class;
        const inbox = this.inboxes[of];
        const taken = inbox.take(piece.offset, piece.bytes, (message) => delivered.push({ class: of, message }));
        this.owe(of, now, this.paths.get(id)?.kind === 'datagram', taken === 'gap' || taken === 'filled');
        return;
      }
      case 'state':
        if (this.newest[piece.class].take(piece.number)) delivered.push({ class: piece.class, message: piece.message });
        this.owe(piece.class, now, false, false);
        return;
      case 'ping':
        if (this.paths.has(id) && this.pongs.length < MAX_PONGS) this.pongs.push({ path: id, number: piece.number });
        return;
    }
  }

  private owe(of: Class, now: number, datagram: boolean, news: boolean): void {
    const owed = this.owed.get(of) ?? { at: now + ACKNOWLEDGE_WITHIN, packets: 0 };
    owed.packets += 1;
    if (datagram && (news || owed.packets >= 2)) owed.at = now;
    this.owed.set(of, owed);
  }

  private settle(now: number): void {
    for (const path of this.paths.values()) {
      const { lost, worse } = path.settle((sent) => this.hasArrived(sent), now);
      this.again(lost);
      this.doubt(worse && path === this.chosen, now);
    }
  }

  /** The path in use may have become a worse one: if so, all are measured anew. */
  private doubt(doubted: boolean, now: number): void {
    if (!doubted || this.paths.size < 2 || !this.choice.measureAgain(now)) return;
    for (const path of this.paths.values()) path.measure();
  }

  private hasArrived(sent: Sent): boolean {
    return isStream(sent.class) ? this.streams[sent.class].hasArrived(sent.from, sent.to) : this.states[sent.class].hasArrived(sent.from);
  }

  private again(lost: readonly Sent[]): void {
    for (const sent of lost) {
      if (isStream(sent.class)) this.streams[sent.class].lose(sent.from, sent.to);
      else this.states[sent.class].lose(sent.from);
    }
  }

  /** What time alone brings. */
  private pass(now: number): void {
    for (const path of this.paths.values()) {
      this.again(path.timedOut(now));
      path.check(now);
    }
    const { chosen } = this;
    if (chosen?.usable === true && chosen.isSuspected(now)) {
      // Whether the others answer tells if it is the path or the other end.
      for (const path of this.paths.values()) if (path !== chosen) path.ask(1);
    }
    this.choose(now);
  }

  private choose(now: number): void {
    const next = this.choice.next([...this.paths.values()], this.chosen, now);
    if (next === this.chosen) return;
    this.chosen = next;
    if (next === undefined) return;
    // Whatever is still on its way elsewhere: it goes again here.
    for (const path of this.paths.values()) path.forget();
    for (const of of STREAMS) this.streams[of].loseAll();
    for (const of of STATES) this.states[of].loseAll();
    // An acknowledgement may have been lost with the other path.
    for (const of of this.received()) this.owed.set(of, { at: now, packets: 0 });
  }

  /** Classes of which something has come. */
  private received(): Class[] {
    return [...STREAMS.filter((of) => this.inboxes[of].hasAny), ...STATES.filter((of) => this.newest[of].next > 0)];
  }

  private pong(): Outgoing | undefined {
    const pong = this.pongs.shift();
    if (pong === undefined) return undefined;
    const w = new Writer(HEAD);
    writePing(w, 'pong', pong.number);
    // Where the data came by an ordered path it is not sent again: a lost acknowledgement has to be.
    for (const of of this.received()) this.writeAck(w, of);
    return { path: pong.path, packet: w.finish() };
  }

  private ping(now: number): Outgoing | undefined {
    for (const path of this.paths.values()) {
      const number = path.ping(now);
      if (number === undefined) continue;
      const w = new Writer();
      writePing(w, 'ping', number);
      return { path: path.id, packet: w.finish() };
    }
    return undefined;
  }

  private carry(now: number, room: (path: number) => boolean): Outgoing | undefined {
    const path = this.chosen;
    if (path === undefined) return undefined;
    if (this.hasMore && room(path.id)) {
      const packet = this.streamPacket(path, 'input', now) ?? this.streamPacket(path, 'ordered', now) ?? this.statePacket(path, now) ?? this.streamPacket(path, 'screen', now); // prettier-ignore
      if (packet !== undefined) return { path: path.id, packet };
    }
    for (const { at } of this.owed.values()) {
      if (at > now) continue;
      const w = new Writer(HEAD);
      this.acknowledge(w);
      return { path: path.id, packet: w.finish() };
    }
    return undefined;
  }

  private streamPacket(path: Path, of: Stream, now: number): Bytes | undefined {
    const stream = this.streams[of];
    const taken = stream.take(path.pieceSize);
    if (taken === undefined) return undefined;
    const { from, to, first } = taken;
    const w = new Writer(HEAD + StreamOutbox.size(from, to));
    this.acknowledge(w);
    stream.write(w, from, to);
    path.sending({ class: of, from, to, first }, now);
    return w.finish();
  }

  private statePacket(path: Path, now: number): Bytes | undefined {
    for (const of of STATES) {
      const taken = this.states[of].take();
      if (taken === undefined) continue;
      const { number, message } = taken;
      const w = new Writer(HEAD + StateOutbox.size(message));
      this.acknowledge(w);
      this.states[of].write(w, number, message);
      path.sending({ class: of, from: number, to: number + 1, first: true }, now);
      return w.finish();
    }
    return undefined;
  }

  /** All that is owed goes before what is sent anyway. */
  private acknowledge(w: Writer): void {
    for (const of of this.owed.keys()) this.writeAck(w, of);
    this.owed.clear();
  }

  private writeAck(w: Writer, of: Class): void {
    if (isStream(of)) writeAck(w, of, this.inboxes[of].next, this.inboxes[of].ranges());
    else writeAck(w, of, this.newest[of].next, []);
  }
}
