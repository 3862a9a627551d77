// An applet's half of a direct path, for tests only: answers offers, of a fake peer as of a real one.
import { type Direct, type DirectHost, type PeerFactory, type PortEvents } from '../src/direct';
import { CHANNEL, LABEL, type Peer } from '../src/direct/peer';
import { noCandidates } from '../src/paths';
import { type PathMessage } from '../src/wire/message';

export class AnsweringDirect implements Direct {
  readonly kind = 'direct_udp';
  readonly report = { problem: undefined, attempts: 0, retryAt: undefined, here: noCandidates(), there: noCandidates() };
  private peer: Peer | undefined;
  private attempt = 0;
  private port: PortEvents | undefined;
  private steps: Promise<void> = Promise.resolve();

  constructor(
    private readonly host: DirectHost,
    private readonly make: PeerFactory,
  ) {}

  receive(message: PathMessage): void {
    const { attempt } = message;
    if (message.kind === 'path_offer') this.answer(attempt, message.sdp);
    else if (attempt !== this.attempt) return;
    else if (message.kind === 'path_gone') this.close();
    else if (message.kind === 'path_candidate') {
      const { candidate } = message;
      this.step(async () => this.peer?.addIceCandidate({ candidate, sdpMid: '0', sdpMLineIndex: 0 }));
    }
  }

  begin(): void {}
  relaying(): void {}
  networkChanged(): void {}
  silent(): void {}

  close(): void {
    this.peer?.close();
    this.peer = undefined;
    this.port?.closed();
    this.port = undefined;
  }

  private answer(attempt: number, sdp: string): void {
    this.close();
    this.attempt = attempt;
    const peer = this.make({});
    this.peer = peer;
    peer.onicecandidate = ({ candidate }: RTCPeerConnectionIceEvent) => {
      if (candidate !== null && candidate.candidate === '') return;
      this.step(async () => this.host.send({ kind: 'path_candidate', attempt, candidate: candidate?.candidate ?? '' }));
    };
    const channel = peer.createDataChannel(LABEL, CHANNEL);
    channel.binaryType = 'arraybuffer';
    channel.onopen = () => {
      this.port = this.host.opened({
        get buffered() {
          return channel.bufferedAmount;
        },
        send: (frame) => channel.readyState === 'open' && channel.send(frame),
        close: () => this.close(),
      });
    };
    channel.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => this.port?.frame(new Uint8Array(data));
    channel.onclose = () => {
      if (this.peer === peer) this.close();
    };
    this.step(async () => {
      await peer.setRemoteDescription({ type: 'offer', sdp });
      const answer = await peer.createAnswer();
      await peer.setLocalDescription(answer);
      this.host.send({ kind: 'path_answer', attempt, sdp: answer.sdp ?? '' });
    });
  }

  private step(act: () => Promise<unknown>): void {
    this.steps = this.steps.then(async () => {
      await act().catch(() => undefined);
    });
  }
}
