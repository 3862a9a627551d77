// A gateway in memory: pairs two legs and forwards their frames, as docs/protocol/gateway.md says.
import { type Socket } from '../src/gateway';
import { type Bytes } from '../src/wire/codec';
import { toHex } from '../src/wire/encoding';
import { decodeToGateway, encodeFromGateway, type FromGateway, type Leaving, type Refusal } from '../src/wire/gateway';

export class FakeGateway {
  readonly hellos: { url: string; role: string; account: string; credential: Bytes }[] = [];
  readonly byes: [role: string, reason: Leaving][] = [];
  /** Answers instead of an admission, for the next connections in turn. */
  readonly refusals: (Refusal | 'unreachable')[] = [];
  /** Frames forwarded, by the role of the sender. */
  readonly frames: [role: string, bytes: Bytes][] = [];
  /** Changes or swallows what is forwarded: a gateway that is not honest. */
  tamper: ((role: string, bytes: Bytes) => Bytes[]) | undefined;
  /** The session that a leg is admitted to. */
  session = '01234567-89ab-cdef-0001-020304050607';
  /** How long a frame takes to a leg, in milliseconds. */
  delay = 0;
  /** Return tickets not used yet, in hexadecimal; taken out of here a ticket is no longer known. */
  readonly tickets = new Set<string>();
  private readonly issued = new Set<string>();
  private readonly legs = new Map<string, FakeSocket>();
  private pairing = 0;

  readonly connect = (url: string, subprotocol: string): Socket => {
    if (subprotocol !== 'belay-gateway.1') throw new Error('wrong subprotocol');
    const refusal = this.refusals.shift();
    const socket = new FakeSocket(
      (bytes) => this.receive(socket, bytes, url, refusal),
      () => this.gone(socket, 'lost'),
      () => this.delay,
    );
    setTimeout(() => {
      if (refusal === 'unreachable') socket.closed();
      else (socket.onopen as (() => void) | null)?.();
    });
    return socket;
  };

  /** Sends a frame of the gateway's to a leg, also one that makes no sense. */
  say(role: string, frame: FromGateway | Bytes): void {
    this.legs.get(role)?.deliver(frame instanceof Uint8Array ? frame : encodeFromGateway(frame));
  }

  /** Cuts a leg's connection. */
  cut(role: string): void {
    const socket = this.legs.get(role);
    if (socket === undefined) return;
    this.gone(socket, 'lost');
    socket.closed();
  }

  /** A leg's connection dies without a word: nothing comes or goes on it any more, and neither end is told. */
  mute(role: string): void {
    const socket = this.legs.get(role);
    if (socket !== undefined) socket.mute = true;
  }

  private issue(): Bytes {
    const ticket = crypto.getRandomValues(new Uint8Array(32));
    this.issued.add(toHex(ticket));
    this.tickets.add(toHex(ticket));
    return ticket;
  }

  private receive(socket: FakeSocket, bytes: Bytes, url: string, refusal: Refusal | 'unreachable' | undefined): void {
    const frame = decodeToGateway(bytes);
    const role = [...this.legs].find(([, leg]) => leg === socket)?.[0];
    if (frame.kind === 'hello') {
      this.hellos.push({ url, role: frame.role, account: frame.account, credential: frame.credential });
      if (refusal !== undefined && refusal !== 'unreachable') {
        socket.deliver(encodeFromGateway({ kind: 'refused', refusal }));
        return;
      }
      const ticket = toHex(frame.credential);
      if (this.issued.has(ticket) && !this.tickets.delete(ticket)) {
        socket.deliver(encodeFromGateway({ kind: 'refused', refusal: 'used' }));
        return;
      }
      const before = this.legs.get(frame.role);
      if (before !== undefined) {
        before.deliver(encodeFromGateway({ kind: 'refused', refusal: 'replaced' }));
        this.gone(before, 'lost');
      }
      this.legs.set(frame.role, socket);
      const { session } = this;
      socket.deliver(encodeFromGateway({ kind: 'admitted', session, returnTicket: this.issue() }));
      if (this.legs.size === 2) {
        this.pairing += 1;
        for (const leg of this.legs.values()) {
          leg.deliver(encodeFromGateway({ kind: 'paired', pairing: this.pairing }));
        }
      }
    } else if (frame.kind === 'frame' && role !== undefined) {
      this.frames.push([role, frame.bytes]);
      const other = this.legs.get(role === 'console' ? 'applet' : 'console');
      for (const bytes of this.tamper?.(role, frame.bytes) ?? [frame.bytes]) {
        other?.deliver(encodeFromGateway({ kind: 'frame', bytes }));
      }
    } else if (frame.kind === 'bye' && role !== undefined) {
      this.byes.push([role, frame.reason]);
      this.gone(socket, frame.reason);
    }
  }

  private gone(socket: FakeSocket, reason: Leaving): void {
    for (const [role, leg] of this.legs) {
      if (leg !== socket) continue;
      this.legs.delete(role);
      for (const other of this.legs.values()) other.deliver(encodeFromGateway({ kind: 'partner_left', reason }));
    }
  }
}

/** Things done later in the order in which they were asked for; timers of a browser overtake each other. */
class Later {
  private readonly acts: (() => void)[] = [];

  push(act: () => void, delay = 0): void {
    this.acts.push(act);
    setTimeout(() => this.acts.shift()?.(), delay);
  }
}

class FakeSocket implements Socket {
  private readonly leaving = new Later();
  private readonly arriving = new Later();
  binaryType = '';
  readonly bufferedAmount = 0;
  mute = false;
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;

  constructor(
    private readonly sent: (bytes: Bytes) => void,
    private readonly left: () => void,
    private readonly delay: () => number,
  ) {}

  send(bytes: Bytes): void {
    const copy = bytes.slice();
    if (!this.mute) this.leaving.push(() => this.sent(copy));
  }

  close(): void {
    if (!this.mute) this.leaving.push(() => this.left());
  }

  deliver(bytes: Bytes): void {
    const data = bytes.slice().buffer;
    if (!this.mute) this.arriving.push(() => (this.onmessage as ((event: { data: ArrayBuffer }) => void) | null)?.({ data }), this.delay());
  }

  closed(): void {
    (this.onclose as (() => void) | null)?.();
  }
}
