// A gateway in memory: pairs two legs and forwards their frames, as docs/protocol/gateway.md says.
import { type Socket } from '../src/gateway';
import { type Bytes } from '../src/wire/codec';
import { decodeToGateway, encodeFromGateway, type FromGateway, type Leaving, type Refusal } from '../src/wire/gateway';

export class FakeGateway {
  readonly hellos: { url: string; role: string; account: string; credential: Bytes }[] = [];
  readonly byes: [role: string, reason: Leaving][] = [];
  /** Answers instead of an admission, for the next connections in turn. */
  readonly refusals: (Refusal | 'unreachable')[] = [];
  /** Frames forwarded, by the role of the sender. */
  readonly frames: [role: string, bytes: Bytes][] = [];
  private readonly legs = new Map<string, FakeSocket>();
  private pairing = 0;

  readonly connect = (url: string, subprotocol: string): Socket => {
    if (subprotocol !== 'belay-gateway.1') throw new Error('wrong subprotocol');
    const refusal = this.refusals.shift();
    const socket = new FakeSocket(
      (bytes) => this.receive(socket, bytes, url, refusal),
      () => this.gone(socket, 'lost'),
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

  private receive(socket: FakeSocket, bytes: Bytes, url: string, refusal: Refusal | 'unreachable' | undefined): void {
    const frame = decodeToGateway(bytes);
    const role = [...this.legs].find(([, leg]) => leg === socket)?.[0];
    if (frame.kind === 'hello') {
      this.hellos.push({ url, role: frame.role, account: frame.account, credential: frame.credential });
      if (refusal !== undefined && refusal !== 'unreachable') {
        socket.deliver(encodeFromGateway({ kind: 'refused', refusal }));
        return;
      }
      this.legs.set(frame.role, socket);
      socket.deliver(encodeFromGateway({ kind: 'admitted', session: '01234567-89ab-cdef-0001-020304050607' }));
      if (this.legs.size === 2) {
        this.pairing += 1;
        for (const leg of this.legs.values()) {
          leg.deliver(encodeFromGateway({ kind: 'paired', pairing: this.pairing }));
        }
      }
    } else if (frame.kind === 'frame' && role !== undefined) {
      this.frames.push([role, frame.bytes]);
      const other = this.legs.get(role === 'console' ? 'applet' : 'console');
      other?.deliver(encodeFromGateway({ kind: 'frame', bytes: frame.bytes }));
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

class FakeSocket implements Socket {
  binaryType = '';
  readonly bufferedAmount = 0;
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;

  constructor(
    private readonly sent: (bytes: Bytes) => void,
    private readonly left: () => void,
  ) {}

  send(bytes: Bytes): void {
    const copy = bytes.slice();
    setTimeout(() => this.sent(copy));
  }

  close(): void {
    setTimeout(() => this.left());
  }

  deliver(bytes: Bytes): void {
    const data = bytes.slice().buffer;
    setTimeout(() => (this.onmessage as ((event: { data: ArrayBuffer }) => void) | null)?.({ data }));
  }

  closed(): void {
    (this.onclose as (() => void) | null)?.();
  }
}
