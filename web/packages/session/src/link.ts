// The link between console and applet: belay-link/1. A pure machine: time comes in as milliseconds, packets go out as
// bytes. Specification: docs/protocol/link.md.
import { type Bytes } from './wire/codec';
import { type Class, decodePacket, encodePacket, isReliable, type ReliableClass } from './wire/link';

/** How many messages of a class are held that arrived too early. */
export const MAX_EARLY = 256;
export const MAX_UNACKNOWLEDGED = 4096;
export const MAX_UNACKNOWLEDGED_BYTES = 4 * 1024 * 1024;
/** A little less than the 20 ms promised, for the timer's own delay. */
const ACKNOWLEDGE_WITHIN = 15;
const RESEND_AT_LEAST = 100;
const RESEND_AT_MOST = 2000;

/** ordered: the relay, which loses nothing; lossy: a path that may lose, repeat and reorder packets. */
export type PathKind = 'ordered' | 'lossy';

/** overflow: the partner has not acknowledged for too long; acknowledgement: it acknowledged what was never sent. */
export type LinkFault = 'overflow' | 'acknowledgement';

export class LinkError extends Error {
  override readonly name = 'LinkError';
  constructor(
    readonly fault: LinkFault,
    message: string,
  ) {
    super(message);
  }
}

interface Unacknowledged {
  number: number;
  message: Bytes;
  sentAt: number;
  /** How long to wait before it is sent again. */
  patience: number;
  resent: boolean;
}

class Sending {
  next = 0;
  bytes = 0;
  kept: Unacknowledged[] = [];
}

class Receiving {
  next = 0;
  early = new Map<number, Bytes>();
}

export interface Delivered {
  class: Class;
  message: Bytes;
}

export class Link {
  private readonly sending: Record<ReliableClass, Sending> = { ordered: new Sending(), input: new Sending() };
  private readonly receiving: Record<ReliableClass, Receiving> = { ordered: new Receiving(), input: new Receiving() };
  /** Next number to send, and lowest number still taken, of the classes of which only the newest counts. */
  private readonly newestSent = { screen: 0, cursor: 0, seen: 0 };
  private readonly newestTaken = { screen: 0, cursor: 0, seen: 0 };
  private acknowledgeAt: number | undefined;
  private roundTrip: number | undefined;

  constructor(private path: PathKind | undefined) {}

  /**
   * The packet that carries this message, to be sent at once; `undefined` without a path: then a reliable message waits
   * for the next one, any other is superseded. Throws `LinkError` when the link is lost.
   */
  send(of: Class, message: Bytes, now: number): Bytes | undefined {
    if (!isReliable(of)) {
      const number = this.newestSent[of];
      this.newestSent[of] = number + 1;
      if (this.path === undefined) return undefined;
      return this.packet({ class: of, number, message });
    }
    const sending = this.sending[of];
    if (sending.kept.length >= MAX_UNACKNOWLEDGED || sending.bytes + message.length > MAX_UNACKNOWLEDGED_BYTES) {
      throw new LinkError('overflow', 'the partner has not acknowledged for too long, connect again');
    }
    const number = sending.next;
    sending.next = number + 1;
    sending.bytes += message.length;
    sending.kept.push({ number, message, sentAt: now, patience: this.patience(), resent: false });
    if (this.path === undefined) return undefined;
    return this.packet({ class: of, number, message });
  }

  /** Takes a packet; what it completes is returned in order. Throws `WireError` or `LinkError` on a breach. */
  receive(bytes: Bytes, now: number): Delivered[] {
    const { acknowledgement, carried } = decodePacket(bytes);
    this.acknowledged('ordered', acknowledgement.ordered, now);
    this.acknowledged('input', acknowledgement.input, now);
    if (carried === undefined) return [];
    const { class: of, number, message } = carried;
    if (!isReliable(of)) {
      if (number < this.newestTaken[of]) return [];
      this.newestTaken[of] = number + 1;
      return [{ class: of, message }];
    }
    this.acknowledgeAt ??= now + ACKNOWLEDGE_WITHIN;
    return this.take(of, number, message);
  }

  /** Packets that are due: messages to send again, and an acknowledgement if one is owed. */
  due(now: number): Bytes[] {
    const packets: Bytes[] = [];
    if (this.path === undefined) return packets;
    if (this.path === 'lossy') {
      for (const of of ['ordered', 'input'] as const) {
        for (const kept of this.sending[of].kept) {
          if (now - kept.sentAt >= kept.patience) {
            kept.sentAt = now;
            kept.patience = Math.min(kept.patience * 2, RESEND_AT_MOST);
            packets.push(this.again(of, kept));
          }
        }
      }
    }
    if (this.acknowledgeAt !== undefined && now >= this.acknowledgeAt) packets.push(this.packet());
    return packets;
  }

  /** When `due` will next have something, in the same clock; `undefined`: not without a new event. */
  get wakeAt(): number | undefined {
    if (this.path === undefined) return undefined;
    let wake = this.acknowledgeAt ?? Number.POSITIVE_INFINITY;
    if (this.path === 'lossy') {
      for (const of of ['ordered', 'input'] as const) {
        for (const kept of this.sending[of].kept) wake = Math.min(wake, kept.sentAt + kept.patience);
      }
    }
    return Number.isFinite(wake) ? wake : undefined;
  }

  /** Since when the oldest reliable message has been waiting for its acknowledgement; `undefined`: none does. */
  get waitingSince(): number | undefined {
    const oldest = [this.sending.ordered.kept[0], this.sending.input.kept[0]];
    const since = Math.min(...oldest.map((kept) => kept?.sentAt ?? Number.POSITIVE_INFINITY));
    return Number.isFinite(since) ? since : undefined;
  }

  /** The messages of a reliable class that the partner has not acknowledged, oldest first. */
  unacknowledged(of: ReliableClass): Bytes[] {
    return this.sending[of].kept.map(({ message }) => message);
  }

  /** There is no path any more; what is not acknowledged waits for the next one. */
  pathDown(): void {
    this.path = undefined;
  }

  /**
   * The link goes on over another path: everything unacknowledged is to be sent again, now; at least an
   * acknowledgement, so that the partner hears that there is a path.
   */
  changePath(path: PathKind, now: number): Bytes[] {
    this.path = path;
    this.roundTrip = undefined;
    const packets: Bytes[] = [];
    for (const of of ['ordered', 'input'] as const) {
      for (const kept of this.sending[of].kept) {
        kept.sentAt = now;
        kept.patience = this.patience();
        packets.push(this.again(of, kept));
      }
    }
    if (packets.length === 0) packets.push(this.packet());
    return packets;
  }

  private again(of: ReliableClass, kept: Unacknowledged): Bytes {
    kept.resent = true;
    return this.packet({ class: of, number: kept.number, message: kept.message });
  }

  private packet(carried?: { class: Class; number: number; message: Bytes }): Bytes {
    this.acknowledgeAt = undefined;
    return encodePacket({ ordered: this.receiving.ordered.next, input: this.receiving.input.next }, carried);
  }

  private patience(): number {
    return Math.min(Math.max(3 * (this.roundTrip ?? 0), RESEND_AT_LEAST), RESEND_AT_MOST);
  }

  private acknowledged(of: ReliableClass, next: number, now: number): void {
    const sending = this.sending[of];
    if (next > sending.next) {
      throw new LinkError('acknowledgement', `${of} message ${next - 1} was acknowledged before it was sent`);
    }
    for (let first = sending.kept[0]; first !== undefined && first.number < next; first = sending.kept[0]) {
      sending.kept.shift();
      sending.bytes -= first.message.length;
      if (!first.resent) {
        const sample = Math.max(now - first.sentAt, 0);
        this.roundTrip = this.roundTrip === undefined ? sample : this.roundTrip * 0.875 + sample * 0.125;
      }
    }
  }

  private take(of: ReliableClass, number: number, message: Bytes): Delivered[] {
    const receiving = this.receiving[of];
    if (number < receiving.next) return [];
    if (number > receiving.next) {
      if (receiving.early.size < MAX_EARLY) receiving.early.set(number, message);
      return [];
    }
    const delivered: Delivered[] = [];
    for (let next: Bytes | undefined = message; next !== undefined; next = receiving.early.get(receiving.next)) {
      receiving.early.delete(receiving.next);
      receiving.next += 1;
      delivered.push({ class: of, message: next });
    }
    return delivered;
  }
}
